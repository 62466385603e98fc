// A client of SSR in Node, from the .proto files alone: submits a problem, watches it, and prints the answer.
//
//   npm ci && node solve.mjs 127.0.0.1:7600 "What is 15 % of 80?"
//
// SSR_API_KEY and SSR_TLS=1 where the server asks for them.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const here = dirname(fileURLToPath(import.meta.url));
const protos = join(here, "../../proto");
const definition = loader.loadSync("ssr/v1/reasoning.proto", {
  includeDirs: [protos], keepCase: true, enums: String, longs: Number, defaults: true, oneofs: true,
});
const { ReasoningService } = grpc.loadPackageDefinition(definition).ssr.v1;

const [address = "127.0.0.1:7600", problem = "What is 15 % of 80?"] = process.argv.slice(2);
const credentials = process.env.SSR_TLS ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
const client = new ReasoningService(address, credentials, {
  // Deadlines, retries and load balancing, for every method that bears them.
  "grpc.service_config": readFileSync(join(here, "../service-config.json"), "utf8"),
});
const metadata = new grpc.Metadata();
if (process.env.SSR_API_KEY) metadata.set("authorization", `Bearer ${process.env.SSR_API_KEY}`);

const inSeconds = (seconds) => ({ deadline: Date.now() + 1000 * seconds });
const call = (method, request, seconds = 30) =>
  new Promise((resolve, reject) =>
    client[method](request, metadata, inSeconds(seconds), (error, reply) => (error ? reject(error) : resolve(reply))),
  );

// Every event of a job; a stream that breaks goes on behind the last one.
async function* watch(job_id, cursor = "") {
  for (let attempt = 0; ; attempt += 1) {
    try {
      for await (const event of client.Watch({ job_id, cursor }, metadata, inSeconds(3600))) {
        ({ cursor } = event);
        attempt = 0;
        yield event;
      }
      return;
    } catch (error) {
      if (error.code !== grpc.status.UNAVAILABLE || attempt >= 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** attempt));
    }
  }
}

try {
  const info = await call("GetServerInfo", {});
  console.log(`SSR ${info.version}: modes ${info.modes.join(", ")}`);
  // The key makes a retry the same job.
  const request = { problem, options: { paths: 3 }, idempotency_key: randomUUID(), labels: { from: "node" } };
  const { job_id } = await call("Submit", request);
  for await (const event of watch(job_id)) {
    if (event.kind === "step_committed") {
      console.log(`path ${event.step_committed.path}: ${event.step_committed.step.text}`);
    }
  }
  const job = await call("Get", { job_id });
  console.log(`${job.status}: ${job.answer}`);
} catch (error) {
  console.error(`${grpc.status[error.code] ?? "error"}: ${error.details ?? error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}
