-- Takes a finished job out of the queue; its tenant's next job gets its turn. Keys: see orchestrator/keys.py.
-- KEYS  jobs, tenants, index (a key of the queue's, for its prefix)
-- ARGV  job id, entry id or "" for whichever it has, stream of the entry, group, channel, most jobs of a tenant at a
--       time, then tenants with other limits: name, limit, name, limit, ...
-- An entry that is not the job's own is only acknowledged.
local prefix = string.match(KEYS[3], '^(.*:)')
if ARGV[2] ~= '' then
  redis.pcall('XACK', ARGV[3], ARGV[4], ARGV[2])
  redis.call('XDEL', ARGV[3], ARGV[2])
end
local place = redis.call('HGET', KEYS[1], ARGV[1])
if not place then
  return 'ok'
end
local priority, name, paths, entry = string.match(place, '^(%S+) (%S+) (%S+) (%S*)$')
if ARGV[2] ~= '' and entry ~= ARGV[2] then
  return 'ok'
end
redis.call('HDEL', KEYS[1], ARGV[1])
local tenant, stream = priority .. ' ' .. name, prefix .. priority
local waiting = prefix .. 'waiting:' .. tenant
if entry == '' then
  redis.call('LREM', waiting, 1, ARGV[1])
  return 'ok'
end
redis.pcall('XACK', stream, ARGV[4], entry)
redis.call('XDEL', stream, entry)
local limit = tonumber(ARGV[6])
for i = 7, #ARGV, 2 do
  if ARGV[i] == name then
    limit = tonumber(ARGV[i + 1])
  end
end
local count = redis.call('HINCRBY', KEYS[2], tenant, -1)
while count < limit do
  local job = redis.call('LPOP', waiting)
  if not job then
    break
  end
  local waiter = redis.call('HGET', KEYS[1], job)
  if waiter then
    local its_paths = string.match(waiter, '^%S+ %S+ (%S+)')
    local its_entry = redis.call('XADD', stream, '*', 'job', job, 'paths', its_paths)
    redis.call('HSET', KEYS[1], job, tenant .. ' ' .. its_paths .. ' ' .. its_entry)
    count = redis.call('HINCRBY', KEYS[2], tenant, 1)
    redis.call('PUBLISH', ARGV[5], 'queued queue')
  end
end
if count == 0 then
  redis.call('HDEL', KEYS[2], tenant)
end
return 'ok'
