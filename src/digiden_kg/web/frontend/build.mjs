// Bundles the scripts of the pages: `node build.mjs [OUT]`, by default into ../static/dist.
// Reads only this folder and node_modules; writes bundles, styles, shapes of the prefectures and
// the licence notices of everything that went into them.
import { build } from "esbuild";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "../static/dist"));

// JIS X 0401 order: the index of an id of @svg-maps/japan, plus one, is the prefecture's code.
const PREFECTURES = `hokkaido aomori iwate miyagi akita yamagata fukushima ibaraki tochigi gunma
  saitama chiba tokyo kanagawa niigata toyama ishikawa fukui yamanashi nagano gifu shizuoka aichi mie
  shiga kyoto osaka hyogo nara wakayama tottori shimane okayama hiroshima yamaguchi tokushima kagawa
  ehime kochi fukuoka saga nagasaki kumamoto oita miyazaki kagoshima okinawa`.split(/\s+/);

async function entries() {
  const names = (await readdir(join(here, "src"))).filter((name) => name.endsWith(".ts"));
  return names.sort().map((name) => join(here, "src", name));
}

// The closed lines of a path of @svg-maps/japan, which knows "m dx,dy dx,dy … z" alone.
function rings(path) {
  let [x, y] = [0, 0];
  return [...path.matchAll(/m([^z]*)z/g)].map(([, line]) => {
    const [[dx, dy], ...steps] = line.trim().split(/\s+/).map((pair) => pair.split(",").map(Number));
    [x, y] = [x + dx, y + dy];
    const rest = steps.map((step) => step.join(",")).join(" ");
    return { x, path: `M${x.toFixed(2)},${y.toFixed(2)}l${rest}z` };
  });
}

async function prefectures() {
  const { default: map } = await import("@svg-maps/japan");
  const shapes = map.locations.map(({ id, path }) => {
    const code = PREFECTURES.indexOf(id) + 1;
    if (!code) throw new Error(`@svg-maps/japan has an unknown prefecture: ${id}`);
    return { code: String(code).padStart(2, "0"), path };
  });
  if (shapes.length !== PREFECTURES.length) throw new Error("@svg-maps/japan lacks prefectures");
  shapes.sort((a, b) => a.code.localeCompare(b.code));
  // The map draws the Amami islands as part of Okinawa; they belong to Kagoshima.
  const [kagoshima, okinawa] = shapes.slice(-2);
  const islands = rings(okinawa.path);
  const isAmami = (ring) => ring.x > 95;
  kagoshima.far = islands.filter(isAmami).map((ring) => ring.path).join("");
  okinawa.path = islands.filter((ring) => !isAmami(ring)).map((ring) => ring.path).join("");
  return { viewBox: map.viewBox, shapes };
}

async function notice(name) {
  const folder = join(here, "node_modules", name);
  const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const files = (await readdir(folder)).filter((file) => /^(licen[sc]e|copying)/i.test(file));
  const own = join(here, "notices", `${name.replace("/", "__")}.txt`);
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  if (existsSync(own)) texts.push(await readFile(own, "utf8"));
  if (!texts.length) throw new Error(`${name} has no licence file: write ${own}`);
  const author = typeof about.author === "string" ? about.author : (about.author?.name ?? "");
  const title = [`${name} ${about.version}`, about.license, author].filter(Boolean).join(" · ");
  return `${title}\n${"=".repeat(title.length)}\n\n${texts.join("\n").trim()}\n`;
}

async function packages(metafile) {
  const found = new Set(["@digital-go-jp/design-tokens", "@svg-maps/japan"]);
  for (const input of Object.keys(metafile.inputs)) {
    const match = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) found.add(match[1]);
  }
  // The editor comes as one file with what it depends on inside.
  for (const name of found) {
    if (!name.startsWith("@zazuko/")) continue;
    const about = await readFile(join(here, "node_modules", name, "package.json"), "utf8");
    for (const part of Object.keys(JSON.parse(about).dependencies ?? {})) found.add(part);
  }
  return [...found].sort();
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: await entries(),
  outdir: out,
  bundle: true,
  minify: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  chunkNames: "part-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".wasm": "file", ".svg": "dataurl", ".woff": "dataurl", ".ttf": "dataurl" },
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
await cp(join(here, "node_modules/@digital-go-jp/design-tokens/dist/tokens.css"), join(out, "tokens.css"));
await writeFile(join(out, "prefectures.json"), JSON.stringify(await prefectures()));
const notices = await Promise.all((await packages(result.metafile)).map(notice));
await writeFile(join(out, "NOTICES.txt"), notices.join("\n\n"));
