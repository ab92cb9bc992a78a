const A = 'A'.charCodeAt(0);
const a = 'a'.charCodeAt(0);

/** Shifts each letter A to Z by half the alphabet, so applying it twice restores the text. */
export function rot13(text: string): string {
  return text.replace(/[A-Z]/gi, (letter) => {
    const first = letter < 'a' ? A : a;
    return String.fromCharCode(first + ((letter.charCodeAt(0) - first + 13) % 26));
  });
}
