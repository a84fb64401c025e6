/** Sizes of a run. */

/** Frames that are run on one world. A frame's number tells its episode, so any one can be made again. */
export const EPISODE_FRAMES = 2048;
/** Between two comparisons of all maps; a difference is then looked for frame by frame. */
export const CHECK_FRAMES = 512;
export const LARGEST_FRAME = 9300;
