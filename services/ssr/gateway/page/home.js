// The list of jobs, the engine pools and the server.
import {api, byId, define, element, guarded, pause} from "./base.js";

const POOLS_MS = 5000;
let nextPage = "", asked = 0;

export async function showJobs(more = false) {
  const mine = ++asked;
  byId("more").hidden = true; // until it is known what is more
  const query = new URLSearchParams({limit: "100", status: byId("status").value, tenant: byId("tenant").value.trim(), page: more ? nextPage : ""});
  const page = await (await api(`jobs?${query}`)).json();
  if (mine !== asked) return; // something else has been asked for since
  const items = page.jobs.map((job) => {
    const item = element("li");
    const link = element("a", job.problem.slice(0, 160));
    link.href = `#/job/${encodeURIComponent(job.job_id)}`;
    item.append(link, element("span", ` ${job.status}${job.answer ? `: ${job.answer}` : ""}`, "note"),
      element("span", ` ${job.options.mode}, ${job.tenant}, ${new Date(job.created).toLocaleString()}`, "note"));
    return item;
  });
  if (more) byId("jobs").append(...items); else byId("jobs").replaceChildren(...items);
  nextPage = page.next;
  byId("more").hidden = !nextPage;
}

export async function showServer() {
  const info = await (await api("info")).json();
  define(byId("server"), [["Version", info.version], ...Object.entries(info.models).map(([role, name]) => [`Model (${role})`, name])]);
  for (const [id, names] of [["mode", info.modes], ["stop", info.stop_rules]]) {
    const first = element("option", "default");
    first.value = "";
    byId(id).replaceChildren(first, ...names.filter((name) => name !== "unknown").map((name) => element("option", name)));
  }
}

function ago(seconds) { return seconds < 90 ? `${Math.round(seconds)} s ago` : `${Math.round(seconds / 60)} min ago`; }

function poolItem(pool) {
  const item = element("li"), facts = element("dl"), heard = pool.reports > 0;
  const decided = pool.decision;
  define(facts, [
    ["Engines ready", heard ? pool.engines_ready : "not known: no service has reported lately"],
    ...(heard ? [["Calls", `${pool.calls_running} on an engine, ${pool.calls_waiting} waiting`],
      ["Generated", `${pool.tokens_per_s.toFixed(0)} tokens/s`]] : []),
    ["Autoscaler", decided ? `${decided.replicas} ${decided.replicas === 1 ? "engine" : "engines"}, decided ${ago(decided.age_s)}` : "none has decided"],
    ...(decided?.reasons.length ? [["Why", decided.reasons.join("; ")]] : []),
  ]);
  item.append(element("h3", `The ${pool.name} model's`), facts);
  return item;
}

async function showPoolsOnce() {
  const {pools} = await (await api("pools")).json();
  if (pools === null) byId("pools").replaceChildren(element("li", "This server does not report its pools."));
  else byId("pools").replaceChildren(...pools.map(poolItem));
}

export async function showPools(signal) {
  while (!signal.aborted) {
    if (!document.hidden) await guarded(showPoolsOnce);
    await pause(POOLS_MS, signal);
  }
}
