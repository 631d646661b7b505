// What a build has taken from others: their licence texts and a bill of materials (CycloneDX), from esbuild's own record of
// the files that it put in.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Packages by directory, of the inputs of several builds. */
export function bundledPackages(metafiles) {
  const folders = new Set();
  for (const { inputs } of metafiles) {
    for (const path of Object.keys(inputs)) {
      const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
      if (match) folders.add(match[1]);
    }
  }
  return [...folders].sort().map(describePackage);
}

// `licenses`, a list, is how old packages say it
function describePackage(folder) {
  const {
    name,
    version,
    licenses,
    license = licenses?.[0]?.type,
    homepage,
    repository,
    author,
  } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(entry));
  const notice = readdirSync(folder).find((entry) => /^notice(\.(md|txt))?$/i.test(entry));
  const text = [file, notice].flatMap((entry) =>
    entry ? [readFileSync(join(folder, entry), "utf8").trim()] : [],
  );
  return {
    folder,
    name,
    version,
    license,
    homepage: homepage ?? repository?.url ?? repository,
    text: text.join("\n\n") || standardText(license, author?.name ?? author ?? `the authors of ${name}`),
  };
}

/** The text that a licence's name stands for, for packages that ship the name alone. */
function standardText(license, holder) {
  if (license === "Apache-2.0") return "The text of this licence is in the file LICENSE of this package.";
  if (license !== "MIT") throw new Error(`no text is known for the licence ${license}`);
  return `Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
}

export function writeThirdParties(packages, outdir) {
  for (const { name, license } of packages)
    if (typeof license !== "string") throw new Error(`the licence of ${name} is not known`);
  const sections = packages.map(({ name, version, license, homepage, text }) =>
    [`${name} ${version} (${license})`, homepage ?? "", "", text].join("\n"),
  );
  const head = "Keyframe contains parts of the packages below, each under its own licence.";
  writeFileSync(
    join(outdir, "THIRD_PARTY_LICENSES"),
    `${[head, ...sections].join(`\n\n${"-".repeat(80)}\n\n`)}\n`,
  );
  writeFileSync(join(outdir, "sbom.cdx.json"), `${JSON.stringify(billOfMaterials(packages), null, 2)}\n`);
}

function billOfMaterials(packages) {
  const own = JSON.parse(readFileSync("package.json", "utf8"));
  const locked = existsSync("package-lock.json")
    ? JSON.parse(readFileSync("package-lock.json", "utf8")).packages
    : {};
  const component = ({ folder, name, version, license }) => {
    const [algorithm, digest] = (locked[folder]?.integrity ?? "").split("-");
    return {
      type: "library",
      name,
      version,
      purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
      licenses: [{ license: { id: license } }],
      ...(algorithm === "sha512"
        ? { hashes: [{ alg: "SHA-512", content: Buffer.from(digest, "base64").toString("hex") }] }
        : {}),
    };
  };
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      component: {
        type: "application",
        name: own.name,
        version: own.version,
        licenses: [{ license: { id: own.license } }],
      },
    },
    components: packages.map(component),
  };
}
