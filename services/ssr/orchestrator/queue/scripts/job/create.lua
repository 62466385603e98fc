-- Creates a job, once; it expires unless it is kept (keep.lua). Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- ARGV  fingerprint, request, tenant, now (ms), event "queued", seconds to live, traceparent or ""
-- Returns "created"; "exists" when the same request made it before; "conflict" when another one did.
local fingerprint = redis.call('HGET', KEYS[1], 'fingerprint')
if fingerprint then
  return fingerprint == ARGV[1] and 'exists' or 'conflict'
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'request', ARGV[2], 'tenant', ARGV[3], 'created', ARGV[4],
           'status', 'queued', 'epoch', 0)
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[1], 'trace', ARGV[7])
end
redis.call('XADD', KEYS[2], '*', 'e', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return 'created'
