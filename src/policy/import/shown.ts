/** Text of unknown origin, fit for a terminal and a log: short, quoted, nothing in it that is not plain ASCII. */
export function shown(text: string, most = 48): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  // JSON escapes control characters below U+0020 alone; those above can turn a line round or hide it.
  return JSON.stringify(cut).replace(
    /[^\x20-\x7e…]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
