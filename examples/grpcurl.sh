#!/usr/bin/env bash
# Every call of the public API with grpcurl (https://github.com/fullstorydev/grpcurl). Needs `ssr up`, or SSR_SERVER.
set -euo pipefail

server=${SSR_SERVER:-127.0.0.1:7600}
api=ssr.v1.ReasoningService
# Who asks: idempotency keys are a tenant's own. Without it: the tenant "default".
tenant=example
call() { grpcurl -plaintext -H "x-ssr-tenant: $tenant" -d "$2" "$server" "$api/$1"; }

# Reflection is on: the server lists what it offers.
grpcurl -plaintext "$server" list
grpcurl -plaintext "$server" describe "$api"
grpcurl -plaintext "$server" grpc.health.v1.Health/Check

# Solve: answers when it is done. Ending this call cancels the job.
call Solve '{"problem": "What is 15 % of 80?", "options": {"paths": 3, "stop_rule": "STOP_RULE_FAST_2"}}'

# SolveStream: every event as it comes. With a lookahead, steps are drafted while the one before is scored.
call SolveStream '{"problem": "What is 17 * 6 + 4?", "options": {"mode": "MODE_SSD", "seed": 7, "lookahead": 1}}'

# Submit: answers at once; the same idempotency_key and request again is the same job. Batch jobs let others go first,
# and max_steps bounds what a job may take.
submitted=$(call Submit '{"problem": "What is 3 * 14?", "idempotency_key": "example-'"$$"'",
    "priority": "PRIORITY_BATCH", "options": {"max_steps": 100}}')
job=$(sed -n 's/.*"jobId": "\([^"]*\)".*/\1/p' <<<"$submitted" | head -n 1)

# Get: the job as it is now.
call Get "{\"job_id\": \"$job\"}"

# Watch: its events from the beginning (or behind a cursor), live to the end.
call Watch "{\"job_id\": \"$job\"}"

# Cancel: ends a job; a finished one stays as it is.
call Cancel "{\"job_id\": \"$job\"}"

# List: newest first, a page at a time; by tenant, status, label and time.
call List '{"limit": 5, "statuses": ["JOB_STATUS_ANSWERED", "JOB_STATUS_PARTIAL"], "labels": {"course": "algebra"}}'

# CreateBatch: many problems as one object; GetBatch: how they stand, and a page of their jobs.
batch=$(call CreateBatch '{"requests": [{"problem": "What is 3 * 14?"}, {"problem": "What is 15 % of 80?"}],
    "labels": {"course": "algebra"}}' | sed -n 's/.*"batchId": "\([^"]*\)".*/\1/p' | head -n 1)
call GetBatch "{\"batch_id\": \"$batch\"}"

# DeleteJob: a job with all that is kept of it, for good.
call DeleteJob "{\"job_id\": \"$job\"}"

# GetServerInfo: what the server is and takes.
call GetServerInfo '{}'

# GetPools: engines ready, calls that wait, and what the autoscaler decided.
call GetPools '{}'
