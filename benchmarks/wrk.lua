-- Sends the raw HTTP requests of the given files in turn. Arguments: SEED FILE...
-- SEED is 8 hex digits. Where a request holds the marker of 24 @, SEED and a counter of 16 digits
-- take its place, so that no two requests are alike and Content-Length holds; a request without
-- the marker goes out the same every time. For one wrk thread (-t1): the counter is the thread's.
local MARKER = string.rep("@", 24)
local seed, requests, sent = nil, {}, 0

function init(args)
  seed = args[1]
  for i = 2, #args do
    local file = assert(io.open(args[i], "rb"))
    local text = file:read("*a")
    file:close()
    local from, to = text:find(MARKER, 1, true)
    requests[i - 1] = from and {text:sub(1, from - 1), text:sub(to + 1)} or {text}
  end
end

function request()
  sent = sent + 1
  local parts = requests[(sent - 1) % #requests + 1]
  if not parts[2] then return parts[1] end
  return parts[1] .. seed .. string.format("%016d", sent) .. parts[2]
end

-- One line of JSON, times in microseconds.
function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration":%d,"p50":%d,"p99":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    failed.connect, failed.read, failed.write, failed.status, failed.timeout))
end
