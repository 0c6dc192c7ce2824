-- wrk: one real digit as JSON, four decimals a pixel, from the MNIST test set.
local file = assert(io.open("data/mnist/t10k-images-idx3-ubyte", "rb"))
file:seek("set", 16)
local pixels = file:read(784)
file:close()

local numbers = {}
for i = 1, #pixels do
    numbers[i] = string.format("%.4g", pixels:byte(i) / 255)
end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"inputs":[[' .. table.concat(numbers, ",") .. "]]}"
