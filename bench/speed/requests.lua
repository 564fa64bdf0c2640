-- Sends requests as they stand in a file, one after the other, and says what came of them as JSON.
--
-- wrk … URL -- FILE [COUNT]: each request is its length, a line's end and its bytes, as on the wire.
-- With a count, so many are sent and answered, and then it is over.

local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int signal);")

local SIGINT = 2
local NEVER = 3600 * 1000

local requests = {}
local turn = 0

function init(args)
   local file = assert(io.open(args[1], "rb"))
   while true do
      local length = file:read("*n")
      if not length then break end
      file:read(1)
      requests[#requests + 1] = file:read(length)
   end
   file:close()
   if args[2] then stop_after(tonumber(args[2])) end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

-- wrk itself knows no count: its main thread sleeps until a signal comes.
function stop_after(count)
   local sent, answered = 0, 0

   function delay()
      sent = sent + 1
      return sent > count and NEVER or 0
   end

   function response()
      answered = answered + 1
      if answered == count then
         wrk.thread:stop()
         ffi.C.kill(ffi.C.getpid(), SIGINT)
      end
   end
end

function done(summary, latency, _)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.timeout
   io.write(string.format(
      '\n{"requests": %d, "bytes": %d, "microseconds": %d, "p50": %d, "p99": %d, '
         .. '"refused": %d, "failed": %d}\n',
      summary.requests, summary.bytes, summary.duration,
      latency:percentile(50), latency:percentile(99), errors.status, failed
   ))
end
