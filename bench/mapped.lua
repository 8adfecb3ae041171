-- wrk: a body of 2 KB from a sender with a token, whose type and key are named by jq.
local lines, run, count = string.rep('{"sku":"a-1","n":1},', 90), "", 0

function init(arguments) -- wrk ... -- RUN TOKEN
    run, token = arguments[1], arguments[2]
end

function request()
    count = count + 1
    return wrk.format("POST", nil, {["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. token},
        '{"event":"Order Paid","order":{"id":"' .. run .. "-" .. count .. '"},"version":2,"lines":[' .. lines .. "{}]}")
end
