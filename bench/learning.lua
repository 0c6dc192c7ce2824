-- wrk: the digit of classify.lua; the figures in one line at the end:
-- requests, refused ones, seconds, and microseconds that half and 99 of a
-- hundred stayed below.
dofile("bench/classify.lua")

function done(summary, latency, _)
    local errors = summary.errors
    print(string.format("figures %d %d %g %g %g", summary.requests,
        errors.status + errors.connect + errors.read + errors.write +
        errors.timeout, summary.duration / 1e6, latency:percentile(50),
        latency:percentile(99)))
end
