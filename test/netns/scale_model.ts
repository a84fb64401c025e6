/** What scale_scenario.ts prints and scale.test.ts reads. */
export interface Scale {
  readonly vnics: number;
  readonly queues: number;
  /** One for every queue that a CPU reaches. */
  readonly flows: number;
  readonly unreachable: number;
  readonly ms: Readonly<Record<string, number>>;
  /** What the kernel says of the data plane's maps, and by how much this process grew, in bytes. */
  readonly memory: { readonly maps: number; readonly largestMaps: Readonly<Record<string, number>>; readonly process: number };
  readonly attached: number;
  readonly sent: number;
  readonly arrived: number;
  readonly misdelivered: number;
  /** vNIC and flow of which not all frames arrived, or not on the computed queue. */
  readonly wrong: readonly string[];
  readonly counted: number;
  /** Frames by queue, of all ports. */
  readonly byQueue: readonly number[];
  readonly adopted: boolean;
  readonly rowsAfterAdoption: number;
  readonly errors: readonly unknown[];
  readonly refused: Readonly<Record<string, string | null>>;
  readonly left: { readonly programs: number; readonly pins: readonly string[] };
}
