// Pictures of pages as small PNGs: 256 colors are enough for text on plain ground, and take a third of the bytes.
import { crc32, deflateSync } from 'node:zlib';

// In a page: the picture's size, the colors that matter most, and for each pixel the nearest of them.
async function indexed(url) {
  const image = await createImageBitmap(await (await fetch(url)).blob());
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, height).getContext('2d');
  canvas.drawImage(image, 0, 0);
  const pixels = canvas.getImageData(0, 0, width, height).data;
  const color = (at) => (pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2];
  const counts = new Map();
  for (let at = 0; at < pixels.length; at += 4) counts.set(color(at), (counts.get(color(at)) ?? 0) + 1);
  const colors = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || a - b);
  const apart = (a, b) => [16, 8, 0].reduce((sum, shift) => sum + (((a >> shift) & 255) - ((b >> shift) & 255)) ** 2, 0);
  // Each time the color that would look most wrong without: small marks, too, keep theirs.
  const cost = (color, other) => counts.get(color) * apart(color, other);
  const palette = [colors[0]];
  const wrong = new Map(colors.slice(1).map((color) => [color, cost(color, colors[0])]));
  while (palette.length < 256 && wrong.size > 0) {
    const [next] = [...wrong].reduce((most, other) => (other[1] > most[1] ? other : most));
    palette.push(next);
    wrong.delete(next);
    for (const [color, least] of wrong) wrong.set(color, Math.min(least, cost(color, next)));
  }
  const nearest = (color) => palette.reduce((best, other, at) => (apart(color, other) < apart(color, palette[best]) ? at : best), 0);
  const index = new Map(colors.map((color) => [color, nearest(color)]));
  let indices = '';
  for (let at = 0; at < pixels.length; at += 4) indices += String.fromCharCode(index.get(color(at)));
  return { width, height, palette, indices: btoa(indices) };
}

function chunk(name, data) {
  const named = Buffer.concat([Buffer.from(name), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([ends.subarray(0, 4), named, ends.subarray(4)]);
}

// A PNG with a palette. `blank` is a page that no policy binds.
export async function smaller(png, blank) {
  const { width, height, palette, indices } = await blank.evaluate(indexed, `data:image/png;base64,${png.toString('base64')}`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits for a pixel, which names a color of the palette.
  header.set([8, 3], 8);
  const colors = Buffer.from(palette.flatMap((color) => [color >> 16, (color >> 8) & 255, color & 255]));
  const pixels = Buffer.from(indices, 'base64');
  const rows = Buffer.alloc((width + 1) * height);
  for (let row = 0; row < height; row++) pixels.copy(rows, row * (width + 1) + 1, row * width, (row + 1) * width);
  const start = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const data = deflateSync(rows, { level: 9, memLevel: 9 });
  return Buffer.concat([start, chunk('IHDR', header), chunk('PLTE', colors), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}
