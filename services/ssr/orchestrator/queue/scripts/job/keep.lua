-- Keeps a job that is in the queue now. Keys: see orchestrator/keys.py.
-- KEYS  meta, events
-- Returns "ok", or "gone" when its time to live was over.
local status = redis.call('HGET', KEYS[1], 'status')
if not status then
  return 'gone'
end
if status == 'queued' or status == 'running' then
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
end
return 'ok'
