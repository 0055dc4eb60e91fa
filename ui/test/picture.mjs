// What a page looks like, coarsely: a character for each square of 16 pixels, darker the more of it
// differs from the background. So a picture is a text that git can show, and what a font's edges look
// like on another machine does not matter.

const square = 16;
const shades = ' .:-=+*#%@';

/** Reads a screenshot in a page of its own, which has no policy. */
export async function pictureOf(page, reader) {
  const { width, height } = page.viewportSize();
  // Below the bar, which has other links in other versions.
  const { height: top } = await page.locator('.top-bar').boundingBox();
  const clip = { x: 0, y: top, width, height: height - top };
  await page.bringToFront();
  const shot = await page.screenshot({ clip, animations: 'disabled', caret: 'hide' });
  const means = await reader.evaluate(readSquares, { data: shot.toString('base64'), square });
  return means
    .map((row) => row.map((mean) => shades[Math.min(Math.round(mean / 12), 9)]).join(''))
    .map((row) => row.trimEnd())
    .join('\n')
    .trimEnd();
}

/** In the browser: the mean distance from the most frequent colour, 0 to 255, of each square. */
async function readSquares({ data, square }) {
  const image = new Image();
  image.src = `data:image/png;base64,${data}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { data: bytes, width, height } = context.getImageData(0, 0, image.width, image.height);
  const pixels = new Uint32Array(bytes.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const [ground] = [...counts].sort((a, b) => b[1] - a[1])[0];
  const away = (pixel) =>
    Math.max(
      ...[0, 8, 16].map((shift) => Math.abs(((pixel >> shift) & 255) - ((ground >> shift) & 255))),
    );
  const distances = new Map([...counts.keys()].map((pixel) => [pixel, away(pixel)]));
  return Array.from({ length: Math.floor(height / square) }, (_, row) =>
    Array.from({ length: Math.floor(width / square) }, (_, column) => {
      let sum = 0;
      for (let y = row * square; y < (row + 1) * square; y++) {
        for (let x = column * square; x < (column + 1) * square; x++) {
          sum += distances.get(pixels[y * width + x]);
        }
      }
      return sum / square ** 2;
    }),
  );
}

/**
 * The share of squares that are two shades or more apart, of those with anything in them in either
 * picture.
 */
export function difference(a, b) {
  const [rows, others] = [a.split('\n'), b.split('\n')];
  let [apart, filled] = [0, 1];
  for (let row = 0; row < Math.max(rows.length, others.length); row++) {
    const [here, there] = [rows[row] ?? '', others[row] ?? ''];
    for (let i = 0; i < Math.max(here.length, there.length); i++) {
      const [x, y] = [shades.indexOf(here[i] ?? ' '), shades.indexOf(there[i] ?? ' ')];
      if (x + y > 0) filled++;
      if (Math.abs(x - y) >= 2) apart++;
    }
  }
  return apart / filled;
}
