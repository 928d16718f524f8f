/** Answers SPARQL queries beside the page: loads the engine and the data once, on the first query. */
import init, { Store } from "oxigraph/web";
import * as engine from "oxigraph/web_bg.wasm";
import type { Form } from "./lib/query";

export interface Asked {
  /** Address of the data, as N-Quads; perhaps compressed. */
  dump: string;
  query: string;
  form: Form;
  format: string;
  base: string;
}

export type Told =
  | { kind: "loading"; loaded: number; total: number }
  | { kind: "reading" }
  | { kind: "ready"; quads: number }
  | { kind: "answer"; text: string; seconds: number }
  | { kind: "failed"; message: string };

const tell = (told: Told) => postMessage(told);
// The bundler gives the address of the file, whatever its types say of what is in it.
const wasm = (engine as unknown as { default: string }).default;
let store: Promise<Store> | undefined;

/** Return what is in a gzip file; anything else, also what the host unpacked, as it is. */
async function unpacked(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (content[0] !== 0x1f || content[1] !== 0x8b) return content;
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function open(dump: string): Promise<Store> {
  await init({ module_or_path: new URL(wasm, import.meta.url) });
  const response = await fetch(dump);
  if (!response.ok || !response.body) throw new Error(`${dump}: ${response.status} ${response.statusText}`);
  // Where the host packs the answer, its length is not that of what arrives.
  const total = response.headers.has("Content-Encoding") ? 0 : Number(response.headers.get("Content-Length") ?? 0);
  let loaded = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        loaded += chunk.length;
        tell({ kind: "loading", loaded, total });
        controller.enqueue(chunk);
      },
    }),
  );
  const content = new Uint8Array(await new Response(counted as BodyInit).arrayBuffer());
  tell({ kind: "reading" });
  const made = new Store();
  made.load(await unpacked(content), { format: "application/n-quads", no_transaction: true });
  tell({ kind: "ready", quads: made.size });
  return made;
}

addEventListener("message", async ({ data }: MessageEvent<Asked>) => {
  try {
    store ??= open(data.dump);
    const found = await store;
    const start = performance.now();
    const answer = found.query(data.query, { results_format: data.format, base_iri: data.base });
    tell({ kind: "answer", text: String(answer), seconds: (performance.now() - start) / 1000 });
  } catch (error) {
    tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
});
