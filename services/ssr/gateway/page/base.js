// What the parts of the page have in common: elements, mathematics and the gateway's /ui/api.
// All texts go in as text, never as markup.

export const FINAL = new Set(["answered", "no_answer", "cancelled", "failed", "partial", "parked"]);
const PAUSE_MS = 500;
const MATH = /\$\$([^]+?)\$\$|\\\[([^]+?)\\\]|\\\(([^]+?)\\\)|\$([^$\n]+?)\$|(\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})/g;

export const byId = (id) => document.getElementById(id);

export function say(text) { byId("notice").textContent = text; }

export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, {once: true});
  });
}

export async function guarded(work) {
  try { await work(); } catch (error) { if (error.name !== "AbortError") say(error.message); }
}

export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

export function mathematics(text, into) {
  let end = 0;
  for (const match of text.matchAll(MATH)) {
    into.append(text.slice(end, match.index));
    const place = element("span");
    const display = match[1] !== undefined || match[2] !== undefined;
    const options = {displayMode: display, throwOnError: false, trust: false, maxExpand: 200, maxSize: 20};
    try { katex.render(match.slice(1).find((part) => part !== undefined), place, options); }
    catch { place.textContent = match[0]; }
    into.append(place);
    end = match.index + match[0].length;
  }
  into.append(text.slice(end));
  return into;
}

export async function api(path, options = {}) {
  const key = byId("key").value.trim();
  const headers = {...(options.body ? {"content-type": "application/json"} : {}), ...(key ? {authorization: `Bearer ${key}`} : {})};
  const reply = await fetch(`api/${path}`, {...options, headers});
  if (!reply.ok) {
    const said = await reply.json().catch(() => ({}));
    throw Object.assign(new Error(said.error?.message ?? `the server answers ${reply.status}`), {status: reply.status});
  }
  return reply;
}

export async function* events(id, cursor, signal) {
  // Goes on behind the last event when the connection breaks.
  for (;;) {
    try {
      const reply = await api(`jobs/${encodeURIComponent(id)}/events?cursor=${encodeURIComponent(cursor)}`, {signal});
      let rest = "";
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const {value, done} = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const part of parts.filter((part) => part.startsWith("data: "))) {
          const event = JSON.parse(part.slice(6));
          if (event.error) throw new Error(event.error.message);
          cursor = event.cursor;
          yield event;
          if (event.kind === "finished") return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status && error.status < 500 && error.status !== 429) throw error;
      say(`The connection is lost; trying again (${error.message}).`);
    }
    await pause(PAUSE_MS, signal);
    if (signal.aborted) return;
  }
}

export function define(list, entries) {
  list.replaceChildren(...entries.flatMap(([name, value]) => [element("dt", name), element("dd", String(value))]));
}
