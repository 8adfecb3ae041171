-- limits.lua - exact sliding windows over Redis; one command a call, each atomic. See share.h.
--
-- KEYS  1 window: what is left, a plain number, for people
--       2 quiet: the microsecond until which the provider wants nothing
--       3 epoch: a hash that tells whether Redis still has what it was told (below)
--       4.. one sorted set per rule: a member '<take id>:<places>' at the microsecond from which it counts (now + hold
--       while it is pending), and the member 'total' at minus the sum of their places. The sum lies in the same key
--       so that eviction cannot part them; real members have scores above 0.
-- ARGV  command, instance, milliseconds for which keys are kept, count and window of each rule, the command's own
--
-- Redis and Lua numbers are doubles: microseconds since 1970 are exact below 2^53, which is the year 2255.

local window_key, quiet_key, epoch_key = KEYS[1], KEYS[2], KEYS[3]
local command, instance, keep_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local DAY_US = 86400 * 1000000
local SLACK_MS = 30000 -- keys are kept a minute too long, so that their lives need not be lengthened at each call

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local rules = {}
for i = 4, #KEYS do
    local at = 4 + (i - 4) * 2
    rules[#rules + 1] = {key = KEYS[i], count = tonumber(ARGV[at]), window = tonumber(ARGV[at + 1])}
end
local own = 3 + 2 * #rules

local function argument(i)
    return tonumber(ARGV[own + i])
end

local function whole(number) -- tostring() would round to 14 digits
    return string.format('%.0f', number)
end

local function places(member)
    return tonumber(string.match(member, ':(%d+)$')) or 0
end

-- ---- the windows ----

-- Drops what no window holds any more and learns the rule's total. A rule whose set is not there is `missing`.
local function rule_read(rule)
    local bound = whole(now - rule.window)
    local gone = redis.call('ZRANGEBYSCORE', rule.key, '(0', bound)
    if #gone > 0 then
        local sum = 0
        for _, member in ipairs(gone) do
            sum = sum + places(member)
        end
        redis.call('ZREMRANGEBYSCORE', rule.key, '(0', bound)
        redis.call('ZINCRBY', rule.key, whole(sum), 'total')
    end
    local score = redis.call('ZSCORE', rule.key, 'total')
    rule.missing = not score
    rule.total = score and -tonumber(score) or 0
end

local function rule_add(rule, score, id, count)
    if redis.call('ZADD', rule.key, whole(score), id .. ':' .. whole(count)) == 1 then
        redis.call('ZINCRBY', rule.key, whole(-count), 'total')
        rule.total = rule.total + count
    end
end

local function rule_remove(rule, id, count)
    if redis.call('ZREM', rule.key, id .. ':' .. whole(count)) == 1 then
        redis.call('ZINCRBY', rule.key, whole(count), 'total')
        rule.total = rule.total - count
    end
end

-- Microseconds until one more may be had. What is pending may start at once: then it counts from now.
local function rule_wait(rule)
    local over = rule.total - rule.count + 1
    if over <= 0 then
        return 0
    end
    local found = redis.call('ZRANGEBYSCORE', rule.key, '(0', '+inf', 'WITHSCORES', 'LIMIT', 0, whole(over))
    for i = 1, #found, 2 do
        over = over - places(found[i])
        if over <= 0 then
            return math.min(tonumber(found[i + 1]), now) + rule.window - now
        end
    end
    return rule.window
end

local function left()
    local least = 2 ^ 53
    for _, rule in ipairs(rules) do
        least = math.min(least, rule.count - rule.total)
    end
    return math.max(0, least)
end

-- ---- the epoch: id, takes (a counter; it never repeats, also when the key was lost), state, and for each rule's key
-- the microsecond until which it must be there. States: begun (by a first use), lost (somebody misses what was
-- before; may be taught), taught. ----

local epoch = {}

local function epoch_begin(state)
    epoch.id = math.max(now, (epoch.takes or 0) + 1)
    epoch.takes, epoch.state, epoch.fresh = epoch.id, state, true
    redis.call('DEL', epoch_key)
    redis.call('HSET', epoch_key, 'id', whole(epoch.id), 'takes', whole(epoch.takes), 'state', state)
end

local function epoch_read()
    local found = redis.call('HMGET', epoch_key, 'id', 'takes', 'state')
    epoch.id, epoch.takes, epoch.state = tonumber(found[1] or ''), tonumber(found[2] or ''), found[3]
    epoch.id = epoch.takes and epoch.id
end

local function epoch_misses_rule()
    for _, rule in ipairs(rules) do
        if rule.missing and (tonumber(redis.call('HGET', epoch_key, rule.key) or '') or 0) > now then
            return true
        end
    end
    return false
end

-- Whether Redis has forgotten something since the caller saw epoch id `known` with so many takes (0 = never saw it).
local function epoch_lost(known, known_takes)
    if not epoch.id then
        epoch_begin(known > 0 and 'lost' or 'begun')
        return known > 0
    end
    if epoch_misses_rule() or (known == epoch.id and known_takes > epoch.takes) then
        epoch_begin('lost') -- so that the others learn it too
        return true
    end
    if known == 0 or known == epoch.id then
        return false
    end
    if epoch.state == 'begun' then
        epoch.state = 'lost'
        redis.call('HSET', epoch_key, 'state', 'lost')
    end
    return true
end

-- ---- lives of keys: nothing stays for ever; never shortened, because others may hold for longer ----

local function extend(key)
    if redis.call('PTTL', key) >= keep_ms - SLACK_MS then
        return false
    end
    redis.call('PEXPIRE', key, whole(keep_ms))
    return true
end

local function extend_all()
    for _, rule in ipairs(rules) do
        if redis.call('EXISTS', rule.key) == 1 and (extend(rule.key) or epoch.fresh) then
            redis.call('HSET', epoch_key, rule.key, whole(now + (keep_ms - 1000) * 1000))
        end
    end
    extend(epoch_key)
end

local function show(remaining)
    if #rules > 0 then
        redis.call('SET', window_key, whole(remaining), 'PX', whole(keep_ms))
    end
end

-- ---- quiet spells ----

local function quiet_left()
    local until_us = tonumber(redis.call('GET', quiet_key) or '') or 0
    return math.max(0, math.min(until_us - now, DAY_US))
end

local function quiet_for(length)
    if length > quiet_left() then
        redis.call('SET', quiet_key, whole(now + length))
        redis.call('PEXPIREAT', quiet_key, whole(math.ceil((now + length) / 1000)))
    end
end

-- ---- commands ----

local function answer(granted, wait, quiet, lost)
    local remaining = left()
    show(remaining)
    return {epoch.id, epoch.takes, granted, remaining, wait, quiet, lost and 1 or 0}
end

local commands = {}

-- want, hold, known epoch, known takes, length of a quiet spell that could not be told before
function commands.take()
    local want, hold = argument(1), argument(2)
    quiet_for(argument(5))
    epoch_read()
    local lost = epoch_lost(argument(3), argument(4))
    local quiet = quiet_left()
    if lost then
        extend_all()
        return answer(0, 0, quiet, true)
    end
    local granted = quiet > 0 and 0 or math.min(want, left())
    if granted > 0 then
        epoch.takes = epoch.takes + 1
        redis.call('HSET', epoch_key, 'takes', whole(epoch.takes))
        for _, rule in ipairs(rules) do
            rule_add(rule, now + hold, instance .. '/' .. whole(epoch.takes), granted)
        end
    end
    extend_all()
    local wait = 0
    if granted < want then
        wait = quiet
        for _, rule in ipairs(rules) do
            wait = math.max(wait, rule_wait(rule))
        end
    end
    return answer(granted, wait, quiet, false)
end

-- number of the take, what it was granted, how many of them started. A set that is not there is left so: what it
-- held is lost, and the next take must find that out.
function commands.started()
    local id, granted, started = instance .. '/' .. ARGV[own + 1], argument(2), argument(3)
    for _, rule in ipairs(rules) do
        if not rule.missing then
            rule_remove(rule, id, granted)
            if started > 0 then
                rule_add(rule, now, id, started)
            end
        end
    end
    show(left())
    return 0
end

-- length; 0 = it is over
function commands.quiet()
    if argument(1) == 0 then
        redis.call('DEL', quiet_key)
    else
        quiet_for(argument(1))
    end
    return 0
end

function commands.remaining()
    local remaining = left()
    show(remaining)
    return {remaining}
end

-- age and places of each group of starts
function commands.teach()
    epoch_read()
    if not epoch.id then
        epoch_begin('taught')
    elseif epoch.state == 'lost' then
        epoch.fresh = true
        redis.call('HSET', epoch_key, 'state', 'taught')
    else
        return answer(0, 0, 0, false)
    end
    epoch.takes = epoch.takes + 1
    redis.call('HSET', epoch_key, 'takes', whole(epoch.takes))
    for i = 1, #ARGV - own, 2 do
        local id = instance .. '/' .. whole(epoch.takes) .. '.' .. i
        for _, rule in ipairs(rules) do
            if argument(i) < rule.window then
                rule_add(rule, now - argument(i), id, argument(i + 1))
            end
        end
    end
    extend_all()
    return answer(0, 0, 0, false)
end

for _, rule in ipairs(rules) do
    rule_read(rule)
end
return commands[command]()
