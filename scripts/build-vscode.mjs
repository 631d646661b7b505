// Builds the extension for VS Code: node scripts/build-vscode.mjs [--out <file>.vsix]
// A vsix is a zip with the extension below extension/, a manifest and the types of its files.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { crc32, deflateRawSync } from "node:zlib";
import { build } from "esbuild";

const { values } = parseArgs({ options: { out: { type: "string", default: "dist/keyframe.vsix" } } });
const source = "editors/vscode";
const manifest = JSON.parse(readFileSync(`${source}/package.json`, "utf8"));
const { outputFiles } = await build({
  entryPoints: [`${source}/extension.ts`],
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
  minify: true,
  legalComments: "eof",
  write: false,
});
const inXml = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const vsixManifest = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${inXml(manifest.name)}" Version="${inXml(manifest.version)}" Publisher="${inXml(manifest.publisher)}"/>
    <DisplayName>${inXml(manifest.displayName)}</DisplayName>
    <Description xml:space="preserve">${inXml(manifest.description)}</Description>
    <Categories>${inXml(manifest.categories.join(","))}</Categories>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${inXml(manifest.engines.vscode)}"/>
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="${inXml(manifest.extensionKind.join(","))}"/>
    </Properties>
  </Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
  </Assets>
</PackageManifest>
`;
const contentTypes = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension=".json" ContentType="application/json"/><Default Extension=".vsixmanifest" ContentType="text/xml"/><Default Extension=".cjs" ContentType="application/javascript"/><Default Extension=".txt" ContentType="text/plain"/></Types>
`;
const files = [
  ["[Content_Types].xml", contentTypes],
  ["extension.vsixmanifest", vsixManifest],
  ["extension/package.json", readFileSync(`${source}/package.json`)],
  ["extension/LICENSE.txt", readFileSync("LICENSE")],
  ["extension/extension.cjs", outputFiles[0].contents],
];
writeFileSync(values.out, zip(files));

/** One time for all entries, so that the same source gives the same bytes. */
function zip(entries) {
  const locals = [];
  const central = [];
  let offset = 0;
  for (const [name, text] of entries) {
    const content = Buffer.from(text);
    const packed = deflateRawSync(content, { level: 9 });
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0); // version that can read it
    common.writeUInt16LE(8, 4); // deflate
    common.writeUInt16LE(0x21, 8); // 1980-01-01
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    locals.push(Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), common, tail, Buffer.from(name));
    offset += 30 + Buffer.byteLength(name) + packed.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from("PK\x05\x06"), end]);
}
