-- Asks for a job's end; its owner, if it has one, hears of it and finishes it. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- ARGV  channel, job id
-- Returns the status as it was, or nothing when there is no such job.
local status = redis.call('HGET', KEYS[1], 'status')
if not status then
  return nil
end
if status == 'queued' or status == 'running' then
  redis.call('HSET', KEYS[1], 'cancel', '1')
  redis.call('PUBLISH', ARGV[1], 'cancel ' .. ARGV[2])
end
return status
