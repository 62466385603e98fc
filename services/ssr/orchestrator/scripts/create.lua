-- Creates a job, once. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- ARGV  fingerprint, request, now (ms), event "queued"
-- Returns "created"; "exists" when the same request made it before; "conflict" when another one did.
local fingerprint = redis.call('HGET', KEYS[1], 'fingerprint')
if fingerprint then
  return fingerprint == ARGV[1] and 'exists' or 'conflict'
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'request', ARGV[2], 'created', ARGV[3],
           'status', 'queued', 'epoch', 0)
redis.call('XADD', KEYS[2], '*', 'e', ARGV[4])
return 'created'
