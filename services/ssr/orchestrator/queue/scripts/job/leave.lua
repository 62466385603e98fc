-- A caller does not wait for a job any more. The job's end is asked for where nobody else waits and nobody submitted it.
-- Keys: see orchestrator/queue/keys.py.
-- KEYS  meta, events, waiters
-- ARGV  channel, job id, waiter, what to ask for: "left" or "late <reason>", ms before which a waiter's deadline is over
-- Returns "ending" when the job's end is asked for, else "kept"; nothing when there is no such job.
redis.call('HDEL', KEYS[3], ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'status', 'submitted', 'cancel')
if not state[1] then
  return nil
end
if (state[1] ~= 'queued' and state[1] ~= 'running') or state[2] ~= '0' or state[3] then
  return 'kept'
end
local waiters = redis.call('HGETALL', KEYS[3])
for i = 2, #waiters, 2 do
  if waiters[i] == '' or tonumber(waiters[i]) > tonumber(ARGV[5]) then
    return 'kept'
  end
end
redis.call('HSET', KEYS[1], 'cancel', ARGV[4])
redis.call('PUBLISH', ARGV[1], 'cancel ' .. ARGV[2])
return 'ending'
