/** A line of a file into words, as a shell would: blanks apart, quotes, backslashes, comments; nothing else means anything. Pure. */

/** Nothing for a line that is empty or a comment. @throws RangeError when a quote has no end */
export function wordsOfLine(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let i = 0; i < line.length; i++) {
    const character = line[i] ?? '';
    if (quote !== null) {
      if (character === quote) quote = null;
      else if (character === '\\' && quote === '"' && i + 1 < line.length) word = (word ?? '') + line[++i];
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (character === '\\' && i + 1 < line.length) {
      word = (word ?? '') + line[++i];
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === '#' && word === null) {
      break;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== null) throw new RangeError(`the quote ${quote} has no end`);
  if (word !== null) words.push(word);
  return words;
}
