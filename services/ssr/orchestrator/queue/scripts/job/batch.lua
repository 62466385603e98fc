-- Creates a batch, once. Keys: see orchestrator/queue/keys.py.
-- KEYS  batch
-- ARGV  fingerprint, tenant, now (ms), number of jobs, seconds to live
-- Returns {"created" or "exists", tenant, created, number of jobs}; {"conflict"} when another request made it.
local fingerprint = redis.call('HGET', KEYS[1], 'fingerprint')
if fingerprint and fingerprint ~= ARGV[1] then
  return {'conflict'}
end
if not fingerprint then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'tenant', ARGV[2], 'created', ARGV[3], 'total', ARGV[4])
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return {fingerprint and 'exists' or 'created'}
