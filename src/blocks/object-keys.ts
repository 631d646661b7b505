import {
  type ImageId,
  type ImageName,
  type LayerId,
  parseImageId,
  parseImageName,
  parseLayerId,
} from "./ids.ts";

// How a store of images is laid out:
//   layers/<first two digits>/<layer id>     manifests/<image id>     names/<image name>     touches/<image id>
//   leases/<lease>

export const layersPrefix = "layers/";
export const manifestsPrefix = "manifests/";
export const namesPrefix = "names/";
export const leasesPrefix = "leases/";
export const touchesPrefix = "touches/";

export function layerKey(id: LayerId): string {
  return `${layersPrefix}${id.slice(0, 2)}/${id}`;
}

export function manifestKey(id: ImageId): string {
  return manifestsPrefix + id;
}

export function nameKey(name: ImageName): string {
  return namesPrefix + name;
}

export function touchesKey(id: ImageId): string {
  return touchesPrefix + id;
}

/** Undefined for keys that no layer has: whoever put them there, they are not ours. */
export function layerOfKey(key: string): LayerId | undefined {
  const match = /^layers\/([0-9a-f]{2})\/([0-9a-f]{64})$/.exec(key);
  return match?.[2]?.startsWith(match[1] ?? "-") === true ? parseLayerId(match[2]) : undefined;
}

export function imageOfKey(key: string): ImageId | undefined {
  const match = /^manifests\/([0-9a-f]{64})$/.exec(key);
  return match?.[1] === undefined ? undefined : parseImageId(match[1]);
}

export function imageOfTouchesKey(key: string): ImageId | undefined {
  const match = /^touches\/([0-9a-f]{64})$/.exec(key);
  return match?.[1] === undefined ? undefined : parseImageId(match[1]);
}

export function nameOfKey(key: string): ImageName | undefined {
  try {
    return key.startsWith(namesPrefix) ? parseImageName(key.slice(namesPrefix.length)) : undefined;
  } catch {
    return undefined; // a foreign file in the directory
  }
}
