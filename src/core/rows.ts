/** The rows that a vNIC has in the maps, computed from what is asked for and what is seen, and compared with those there. */
import { decideCutThrough } from './cut_through.js';
import type { Observed, ObservedLink, StoredVnic, VnicRow } from './model.js';
import { takesMultiBuffer, takesRedirects } from './redirects.js';
import type { Tenant } from './tenant.js';

const ETHERNET_HEADER = 14;

/** Largest frame that a device of this MTU takes, as the maps count it. */
export function frameMax(mtu: number): number {
  return Math.min(mtu + ETHERNET_HEADER, 0xffff);
}

/** A row without a VF. */
export function softwareRow(tenant: Tenant, tap: ObservedLink, uplink: ObservedLink): VnicRow {
  return {
    mac: tenant.spec.mac,
    vlans: tenant.spec.vlans,
    access: tenant.spec.access,
    addresses: tenant.spec.addresses,
    maxRate: tenant.spec.maxRate,
    tapMultiBuffer: takesMultiBuffer(tap),
    vfMultiBuffer: false,
    uplinkMultiBuffer: takesMultiBuffer(uplink),
    vfNoTransmit: false,
    // Some drivers take none before a program of their own is there, and the uplink gets one.
    uplinkNoTransmit: uplink.xdp !== null && !takesRedirects(uplink),
    tapIfindex: tap.ifindex,
    vfIfindex: 0,
    uplinkIfindex: uplink.ifindex,
    tapFrameMax: frameMax(tap.mtu),
    vfFrameMax: 0,
    uplinkFrameMax: frameMax(uplink.mtu),
    cutThrough: decideCutThrough(tenant.spec.cutThrough, tap).inForce,
    plugin: tenant.mode === 'plugin',
    operatorWant: tenant.operatorWant,
  };
}

/** The VF port is given the tap's MTU, so both paths take the same frames. */
export function withVf(row: VnicRow, port: ObservedLink): VnicRow {
  return { ...row, vfIfindex: port.ifindex, vfFrameMax: row.tapFrameMax, vfMultiBuffer: takesMultiBuffer(port), vfNoTransmit: !takesRedirects(port) };
}

export function withoutVf(row: VnicRow): VnicRow {
  return { ...row, vfIfindex: 0, vfFrameMax: 0, vfMultiBuffer: false, vfNoTransmit: false };
}

/** The row itself, without the state that is stored with it. */
export function rowOf(stored: StoredVnic): VnicRow {
  const { id: _id, path: _path, vfAllowed: _allowed, generation: _gen, hold: _hold, held: _held, tapSteering: _tap, vfSteering: _vf, rssWish: _rss, ...row } = stored;
  return row;
}

function sameValue(a: VnicRow[keyof VnicRow], b: VnicRow[keyof VnicRow]): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

export function sameRow(a: VnicRow, b: VnicRow): boolean {
  return (Object.keys(a) as (keyof VnicRow)[]).every((field) => sameValue(a[field], b[field]));
}

export function storedOf(tenant: Tenant, observed: Observed): StoredVnic | null {
  return observed.stored.find((row) => row.id === tenant.id) ?? null;
}
