/** What is done with a frame, by the reason for it. Pure. */

/** "redirect_rss" -> "redirect": a reason names its verdict first; a control frame is consumed, which is a drop. */
export function verdictOf(reason: string): string {
  const [verdict = ''] = reason.split('_');
  return verdict === 'control' ? 'drop' : verdict;
}
