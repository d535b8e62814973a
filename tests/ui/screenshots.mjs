// Writes the pictures of the documentation: docs/images/NAME.png.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Browser, databuild, live } from './browser.mjs';
import { smaller } from './picture.mjs';

const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const [failed] = JSON.parse(databuild('runs', '--state', 'failed', '--json')).data;
const pictures = [
  ['now', 'light', '/'],
  ['now-dark', 'dark', '/'],
  ['dataset', 'light', '/datasets/sales/features?sel=sales/features/city=seattle/date=2026-08-20..2026-09-20'],
  ['graph', 'light', '/graph?around=sales/features'],
  ['run', 'light', `/runs/${failed.id}`],
  ['want', 'light', '/wants/w5'],
  ['schedule', 'light', '/automation/weather/rare'],
];

mkdirSync(folder, { recursive: true });
const browser = await Browser.start();
try {
  for (const [name, colorScheme, path] of pictures) {
    await browser.with({ colorScheme }, async (page) => {
      await page.goto(path);
      await live(page);
      const blank = await page.context().newPage();
      writeFileSync(`${folder}${name}.png`, await smaller(await page.screenshot(), blank));
    });
  }
} finally {
  await browser.close();
}
