-- Finds jobs by what never changes of them, newest first. Keys: see orchestrator/queue/keys.py.
-- KEYS  index, listed, jobs
-- ARGV  ms and job id of the place to begin behind ("" and "": at the newest), jobs wanted, entries to look at, a tenant
--       or "", the beginning of tenants' names or "", ms from which and before which jobs were created ("": any),
--       JSON of labels, "1" for unfinished jobs alone, statuses between blanks or "", then the fields of meta to read on a
--       server that has all keys; none in a cluster, whose other nodes have the jobs
-- Returns {places of jobs that may be wanted: ms and id in turn, ms and id of the last entry looked at, 1 if there may be
-- more, the fields' values of each place}. Of jobs that an older replica queued nothing is known here: they are among the
-- places. Jobs that are gone are among them without values; those with another status are not, where fields are read.
local at_ms, at_id, wanted, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local tenant, below, from, before, labels = ARGV[5], ARGV[6], ARGV[7], ARGV[8], cjson.decode(ARGV[9])
if before ~= '' and (at_ms == '' or tonumber(at_ms) >= tonumber(before)) then
  at_ms, at_id = before, ''
end
local start = at_ms == '' and 0 or redis.call('ZCOUNT', KEYS[1], '(' .. at_ms, '+inf')
local found, looked, rows, fields = {}, 0, {}, {}
for i = 12, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
local function fits(summary)
  if not summary then
    return true
  end
  local job = cjson.decode(summary)
  if (tenant ~= '' or below ~= '') and job.t ~= tenant and (below == '' or string.sub(job.t, 1, #below) ~= below) then
    return false
  end
  for key, value in pairs(labels) do
    if not job.l or job.l[key] ~= value then
      return false
    end
  end
  return true
end
local function take(ms, id)
  if #fields > 0 then
    local row = redis.call('HMGET', 'ssr:{' .. id .. '}:meta', 'status', unpack(fields))
    local status = table.remove(row, 1)
    if status and ARGV[11] ~= '' and not string.find(ARGV[11], ' ' .. status .. ' ', 1, true) then
      return
    end
    rows[#rows + 1] = row
  end
  found[#found + 1] = ms
  found[#found + 1] = id
end
while #found / 2 < wanted and looked < most do
  local size = math.min(100, most - looked)
  local entries = redis.call('ZREVRANGE', KEYS[1], start, start + size - 1, 'WITHSCORES')
  if #entries == 0 then
    return {found, at_ms, at_id, 0, rows}
  end
  local ids = {}
  for i = 1, #entries, 2 do
    ids[#ids + 1] = entries[i]
  end
  local summaries = redis.call('HMGET', KEYS[2], unpack(ids))
  for i, id in ipairs(ids) do
    local ms = entries[2 * i]
    if from ~= '' and tonumber(ms) < tonumber(from) then
      return {found, at_ms, at_id, 0, rows}
    end
    local behind = at_ms == '' or tonumber(ms) < tonumber(at_ms) or (tonumber(ms) == tonumber(at_ms) and id < at_id)
    if behind then
      at_ms, at_id = ms, id
      if fits(summaries[i]) and (ARGV[10] ~= '1' or redis.call('HEXISTS', KEYS[3], id) == 1) then
        take(ms, id)
        if #found / 2 == wanted then
          break
        end
      end
    end
  end
  looked, start = looked + #ids, start + #ids
end
return {found, at_ms, at_id, 1, rows}
