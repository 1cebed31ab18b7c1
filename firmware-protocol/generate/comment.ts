/** A doc comment, for TypeScript and for C alike, wrapped at 120 columns. */
export function comment(text: string, indent = 0): string {
  const margin = ' '.repeat(indent);
  const line = `${margin}/** ${text} */`;
  if (line.length <= 120) return line;
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trimStart();
    if (margin.length + 3 + longer.length > 120) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return [`${margin}/**`, ...lines.map((part) => `${margin} * ${part}`), `${margin} */`].join('\n');
}
