-- wrk: the same request again and again, and one line of figures at the end.
--   post.lua METHOD [BODY_FILE [HEADER VALUE]...]
-- prints: requests, seconds, refused or broken, p50, p99 (microseconds)
function init(args)
    wrk.method = args[1]
    if args[2] then
        local file = assert(io.open(args[2], "rb"))
        wrk.body = file:read("*a")
        file:close()
    end
    for i = 3, #args, 2 do
        wrk.headers[args[i]] = args[i + 1]
    end
    local one = wrk.format()
    request = function() return one end
end

function done(summary, latency, _)
    local e = summary.errors
    io.write(string.format("figures %d %.6f %d %.1f %.1f\n",
        summary.requests, summary.duration / 1e6,
        e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
