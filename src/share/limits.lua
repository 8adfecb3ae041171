-- limits.lua - exact sliding windows over Redis. A call is any number of orders, each about one limit, and all of it is
-- atomic. See share.h.
--
-- WHAT      Counts the places that processes took from a limit, and grants what is left.
-- PROMISE   For each rule N per W, no more than N sends of all processes start in any half-open window (t, t+W], as long
--           as Redis keeps what it was told.
-- WHY IT HOLDS
--           A grant is written before it is answered, at the moment until which its sends may start (now + hold). A
--           start can only be earlier than that, and a window that holds the start ends before the one that holds the
--           mark, so no place is given out again too early. `started` moves the mark to the time at which it arrives,
--           which is later than the start, never earlier. Where a connection must be made before a send begins to
--           leave, it keeps the mark (a flying take), and `began` moves it.
--           Doubt costs places, not windows: a grant whose answer was lost stays counted until its process says that
--           it never had it. It says so with its next take (in_doubt), which removes what earlier calls of the same
--           process left pending. Calls are numbered, and a number that is not lower is left alone: a call that waited
--           in a socket while Redis stood still, and runs late, cannot remove what a later call was granted.
--           A note that may not have arrived is repeated with the next take. Repeating changes nothing: a member is
--           named by its take, so it is there once.
-- WHAT BREAKS IT
--           Redis forgets. The epoch finds it (below), and the caller then keeps to its part for one window.
--           A clock of Redis that jumps forward ends windows early.
-- HOW TO SEE IT
--           GET rate_limit:<limit>:window is what is left; ZRANGE rate_limit:<limit>:<count>/<ms> 0 -1 WITHSCORES shows
--           who holds what until when.
-- TESTED BY test/unit/share (real Redis, several members, losses, stalls), test/e2e/test_limits_shared.py
--
-- KEYS  of each order, in their order:
--       window: what is left, a plain number, for people
--       quiet: the microsecond until which the provider wants nothing
--       epoch: a hash that tells whether Redis still has what it was told (below)
--       one sorted set per rule: a member '<instance>/<call>/<take>:<places>' at the microsecond from which it counts
--       (now + hold while it is pending; '<instance>/<call>/<take>~:<places>' while it flies), and 'total' at minus the sum of their places. The sum lies in the
--       same key so that eviction cannot part them; real members have scores above 0.
-- ARGV  instance, the call's number; then of each order: command, milliseconds for which keys are kept, number of rules,
--       number of its own arguments, count and window of each rule, its own arguments
--
-- Redis and Lua numbers are doubles: microseconds since 1970 are exact below 2^53, which is the year 2255.

local instance, call = ARGV[1], tonumber(ARGV[2])
local DAY_US = 86400 * 1000000
local SLACK_MS = 30000 -- keys are kept a minute too long, so that their lives need not be lengthened at each call

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- ---- the order at hand ----

local window_key, quiet_key, epoch_key, keep_ms, rules, own, own_count
local next_key, next_argument = 1, 3

local function order_read()
    local command, rule_count = ARGV[next_argument], tonumber(ARGV[next_argument + 2])
    keep_ms, own_count = tonumber(ARGV[next_argument + 1]), tonumber(ARGV[next_argument + 3])
    window_key, quiet_key, epoch_key = KEYS[next_key], KEYS[next_key + 1], KEYS[next_key + 2]
    rules = {}
    for i = 1, rule_count do
        local at = next_argument + 2 + 2 * i
        rules[i] = {key = KEYS[next_key + 2 + i], count = tonumber(ARGV[at]), window = tonumber(ARGV[at + 1])}
    end
    own = next_argument + 3 + 2 * rule_count
    next_key = next_key + 3 + rule_count
    next_argument = own + own_count + 1
    return command
end

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

-- Gives back what earlier calls of this process left pending.
local function rule_give_back(rule)
    local prefix, sum = instance .. '/', 0
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', rule.key, '(' .. whole(now), '+inf')) do
        local number = string.sub(member, 1, #prefix) == prefix and
            tonumber(string.match(string.sub(member, #prefix + 1), '^(%d+)/%d+:'))
        if number and number < call then
            redis.call('ZREM', rule.key, member)
            sum = sum + places(member)
        end
    end
    if sum > 0 then
        redis.call('ZINCRBY', rule.key, whole(sum), 'total')
        rule.total = rule.total - sum
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

local epoch

local function epoch_begin(state)
    epoch.id = math.max(now, (epoch.takes or 0) + 1)
    epoch.takes, epoch.state, epoch.fresh = epoch.id, state, true
    redis.call('DEL', epoch_key)
    redis.call('HSET', epoch_key, 'id', whole(epoch.id), 'takes', whole(epoch.takes), 'state', state)
end

local function epoch_read()
    epoch = {}
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

local answers = {}

local function answer(granted, wait, quiet, lost)
    local remaining = left()
    show(remaining)
    for _, number in ipairs({epoch.id, epoch.takes, granted, remaining, wait, quiet, lost and 1 or 0}) do
        answers[#answers + 1] = number
    end
end

local function take_name(take_call, take)
    return instance .. '/' .. whole(take_call) .. '/' .. whole(take)
end

-- So many of a take's places started at that moment. A set that is not there is left so: what it held is lost, and the
-- next take must find that out.
local function note_started(id, granted, started, at)
    for _, rule in ipairs(rules) do
        if not rule.missing then
            rule_remove(rule, id, granted)
            if started > 0 then
                rule_add(rule, at, id, started)
            end
        end
    end
end

-- So many of a take's places are on their way and may start until its hold is over. A take that is not pending, because
-- this was said already, stays as it is.
local function note_flying(id, granted, flying)
    for _, rule in ipairs(rules) do
        local mark = redis.call('ZSCORE', rule.key, id .. ':' .. whole(granted))
        if mark then
            rule_remove(rule, id, granted)
            rule_add(rule, tonumber(mark), id .. '~', flying)
        end
    end
end

local commands = {}

-- want, hold, known epoch, known takes, length of a quiet spell that could not be told before, whether an earlier take
-- had no answer; and of a take whose starts may not have been heard: its call (0 = there is none), its number, what it
-- was granted, how many started, how long ago, and whether they still fly
function commands.take()
    local want, hold = argument(1), argument(2)
    quiet_for(argument(5))
    if argument(7) > 0 then
        local id = take_name(argument(7), argument(8))
        if argument(12) > 0 then
            note_flying(id, argument(9), argument(10))
        else
            note_started(id, argument(9), argument(10), now - argument(11))
        end
    end
    if argument(6) > 0 then
        for _, rule in ipairs(rules) do
            rule_give_back(rule)
        end
    end
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
            rule_add(rule, now + hold, take_name(call, epoch.takes), granted)
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
    answer(granted, wait, quiet, false)
end

-- call and number of the take, what it was granted, how many of them started
function commands.started()
    note_started(take_name(argument(1), argument(2)), argument(3), argument(4), now)
    show(left())
end

-- call and number of the take, what it was granted, how many of them fly
function commands.flying()
    note_flying(take_name(argument(1), argument(2)), argument(3), argument(4))
    show(left())
end

-- call and number of the take, how many flew. Those of an earlier Redis are not there.
function commands.began()
    local id, flew = take_name(argument(1), argument(2)), argument(3)
    for _, rule in ipairs(rules) do
        if redis.call('ZSCORE', rule.key, id .. '~:' .. whole(flew)) then
            rule_remove(rule, id .. '~', flew)
            rule_add(rule, now, id, flew)
        end
    end
    show(left())
end

-- length; 0 = it is over
function commands.quiet()
    if argument(1) == 0 then
        redis.call('DEL', quiet_key)
    else
        quiet_for(argument(1))
    end
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
    for i = 1, own_count, 2 do
        local id = take_name(call, epoch.takes) .. '.' .. i
        for _, rule in ipairs(rules) do
            if argument(i) < rule.window then
                rule_add(rule, now - argument(i), id, argument(i + 1))
            end
        end
    end
    extend_all()
    answer(0, 0, 0, false)
end

while next_argument <= #ARGV do
    local command = order_read()
    for _, rule in ipairs(rules) do
        rule_read(rule)
    end
    commands[command]()
end
return answers
