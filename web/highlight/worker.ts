import { languageOf } from "./languages.ts";
import { FilePainter } from "./paint-lines.ts";
import type { PaintReply, PaintRequest } from "./painted-line.ts";

/** Runs beside the page: the file that is shown, and its lines painted as they are asked for. */
let shown: { readonly file: number; readonly painter: FilePainter } | undefined;

addEventListener("message", ({ data }: MessageEvent<PaintRequest>) => {
  if (data.kind === "file") {
    const language = languageOf(data.path);
    shown =
      language === undefined ? undefined : { file: data.file, painter: new FilePainter(language, data.text) };
    return;
  }
  void reply(data);
});

async function reply({
  file,
  from,
  until,
}: Extract<PaintRequest, { readonly kind: "lines" }>): Promise<void> {
  if (shown?.file !== file) return;
  try {
    const answer: PaintReply = { file, from, lines: await shown.painter.paint(from, until) };
    postMessage(answer);
  } catch {
    // a grammar that fails on this text: it stays without colours
  }
}
