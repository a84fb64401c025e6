/** Who is there: ifindexes of the devices that the harness makes, and ids of the vNICs. */

export const UPLINKS = [10, 11] as const;
/** A vNIC id from each end of the range, and some between. */
export const VNIC_IDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1022, 1023] as const;
/** Rows of these ids that lie side by side: [first, count]. Id 0 counts frames of nobody. */
export const ID_RANGES = [[0, 11], [1022, 2]] as const;

export function tapOf(index: number): number {
  return 20 + index;
}

export function vfOf(index: number): number {
  return 40 + index;
}

/** A device that is no vNIC's. */
export const STRAY = 60;
/** No such device. */
export const GONE = 70;
export const RX_QUEUES = 70;

/** All that exist. */
export const DEVICES: readonly number[] = [
  ...UPLINKS, ...VNIC_IDS.map((_, index) => tapOf(index)), ...VNIC_IDS.map((_, index) => vfOf(index)), STRAY,
];
