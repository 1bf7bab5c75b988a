/* SPDX-License-Identifier: ISC */
/*
 * redis_script.h - the Lua scripts of the Redis store, with their arguments.
 *
 * Redis runs a script as one step. Records have the format of store/record.h.
 * A script gets all it needs as KEYS and ARGV. It never reads Redis's clock:
 * the time to live of a key is counted from the caller's now. Redis removes
 * expired keys, but whether a record is still valid depends on the time inside
 * it.
 */
#ifndef POSTERN_STORE_REDIS_SCRIPT_H
#define POSTERN_STORE_REDIS_SCRIPT_H

#include "store/record.h"

/* n(s, o): the number at byte o of s, or 2^53 for a larger one, which only a
 * damaged record has; keep(x): x as seconds that Redis keeps a key; p(x): the
 * eight bytes of a number; rec(x): a version 1 record of one number;
 * ours(s, len): is it a version 1 record of at least len bytes? */
#define SCRIPT_NUMBERS                                                        \
    "local function n(s,o) local x=0 for i=o,o+7 do x=x*256+s:byte(i) end "   \
    "return math.min(x,9007199254740992) end "                                \
    "local function keep(x) return math.min(math.max(1,x),9999999999) end "   \
    "local function p(x) local t={} for i=8,1,-1 do t[i]=string.char(x%256) " \
    "x=math.floor(x/256) end return table.concat(t) end "                     \
    "local function rec(x) return string.char(1)..p(x) end "                  \
    "local function ours(s,len) return s and #s>=len and s:byte(1)==1 end "

/* since, newest = getsince(key) fails the script when the record cannot be
 * read; putsince(key, since, newest, now). The last two of ARGV are
 * PST_LIFETIME_MAX (span) and PST_CLOCK_SKEW_MAX (skew). */
#define SCRIPT_SINCE                                                        \
    "local span,skew=tonumber(ARGV[#ARGV-1]),tonumber(ARGV[#ARGV]) "        \
    "local function getsince(k) local s=redis.call('GET',k) "               \
    "if not s then return 0,0 end "                                         \
    "if not ours(s,17) or #s~=17 then error('" RECORD_NEWER_ERROR "') end " \
    "return n(s,2),n(s,10) end "                                            \
    "local function putsince(k,since,newest,now) "                          \
    "local ends=newest+skew if since>0 then ends=since+span+skew end "      \
    "redis.call('SET',k,string.char(1)..p(since)..p(newest),"               \
    "'EX',keep(ends-now)) end "

/* What the key of a session's tokens has after that of its spilled part. */
#define REDIS_TOKENS_SUFFIX "t"

/* revoke(revoked, spill, record, seconds). A record that is kept longer already
 * stays. */
#define SCRIPT_REVOKE_FUNCTION                       \
    "local function revoke(k,spill,record,seconds) " \
    "local stay=redis.call('TTL',k) "                \
    "if stay~=-1 and stay<tonumber(seconds) then "   \
    "redis.call('SET',k,record,'EX',seconds) end "   \
    "redis.call('DEL',spill,spill..'" REDIS_TOKENS_SUFFIX "') end "

/* KEYS revoked spill [sessions]; ARGV record seconds sid. */
#define SCRIPT_REVOKE_SESSION                                 \
    SCRIPT_REVOKE_FUNCTION                                    \
    "revoke(KEYS[1],KEYS[2],ARGV[1],ARGV[2]) "                \
    "if KEYS[3] then redis.call('HDEL',KEYS[3],ARGV[3]) end " \
    "return 1"

/* KEYS since; ARGV now span skew. Returns the new since. */
#define SCRIPT_REVOKE_ALL                                             \
    SCRIPT_NUMBERS SCRIPT_SINCE                                       \
        "local now=tonumber(ARGV[1]) "                                \
        "local since,newest=getsince(KEYS[1]) local s=now "           \
        "if newest>now then s=math.min(newest,now+skew) end "         \
        "if since>s then s=since end putsince(KEYS[1],s,newest,now) " \
        "return s"

/* The rest of SCRIPT_SESSION_REPLACE: make room in the list `all`, in which the
 * old session does not count, and add the new one. */
#define SCRIPT_SESSION_LIST                                                   \
    "local live={} for i=1,#all,2 do local f,v=all[i],all[i+1] "              \
    "if f~=sid and f~=ARGV[11] and ours(v,25) then local c,e=n(v,2),n(v,18) " \
    "if e<=now or c<=since then redis.call('HDEL',KEYS[1],f) "                \
    "else live[#live+1]={c,f,e} if e>last then last=e end end end end "       \
    "table.sort(live,function(a,b) "                                          \
    "return a[1]<b[1] or (a[1]==b[1] and a[2]<b[2]) end) "                    \
    "for i=1,#live-max+1 do local f,e=live[i][2],live[i][3] "                 \
    "if ARGV[7]=='1' then "                                                   \
    "redis.call('SET',ARGV[8]..f,rec(e),'EX',keep(e-now+skew)) "              \
    "redis.call('DEL',ARGV[9]..f,ARGV[9]..f..'" REDIS_TOKENS_SUFFIX "') end " \
    "redis.call('HDEL',KEYS[1],f) end "                                       \
    "redis.call('HSET',KEYS[1],sid,ARGV[2]) "                                 \
    "redis.call('EXPIRE',KEYS[1],keep(last-now)) "                            \
    "if created>newest then putsince(KEYS[2],since,created,now) end "         \
    "return 0"

/*
 * KEYS sessions since spill old-revoked old-spill old-sessions old-since
 * guest-revoked guest-spill;
 * ARGV, of the new session: 1 sid, 2 record (empty: a guest), 3 created,
 *   4 expires, 5 now, 6 max (how many may be listed), 7 cap (1: revoke those
 *   over max), 8 and 9 prefixes of the keys revoked and spill, 10 blob (empty:
 *   nothing is spilled);
 *   of the old session: 11 sid (empty: none), 12 listed (1: not a guest),
 *   13 iat, 14 record of its revocation, 15 seconds to keep it, 16 required
 *   (1: it must be valid);
 *   of the guest session: 17 record of its revocation (empty: none), 18 seconds
 *   to keep it; 19 span, 20 skew.
 * A key of something that is not there has no id.
 * Returns 0; or -1: the old session was revoked; or the since of the new
 * session's user, if the new session is not later. Everything is read before
 * anything is written, since Redis does not undo a script that fails.
 */
#define SCRIPT_SESSION_REPLACE                                                 \
    SCRIPT_NUMBERS SCRIPT_SINCE SCRIPT_REVOKE_FUNCTION                         \
        "local sid,now,last=ARGV[1],tonumber(ARGV[5]),tonumber(ARGV[4]) "      \
        "local created,max=tonumber(ARGV[3]),tonumber(ARGV[6]) "               \
        "local listed,old=ARGV[2]~='',ARGV[11]~='' "                           \
        "local since,newest,all=0,0,{} "                                       \
        "if old and ARGV[16]=='1' then if redis.call('EXISTS',KEYS[4])==1 or " \
        "ARGV[12]=='1' and tonumber(ARGV[13])<=getsince(KEYS[7]) then "        \
        "return -1 end end "                                                   \
        "if listed then since,newest=getsince(KEYS[2]) "                       \
        "if created<=since then return since end "                             \
        "all=redis.call('HGETALL',KEYS[1]) end "                               \
        "if old then revoke(KEYS[4],KEYS[5],ARGV[14],ARGV[15]) "               \
        "if ARGV[12]=='1' then redis.call('HDEL',KEYS[6],ARGV[11]) end end "   \
        "if ARGV[17]~='' then "                                                \
        "revoke(KEYS[8],KEYS[9],ARGV[17],ARGV[18]) end "                       \
        "if ARGV[10]~='' then redis.call('SET',KEYS[3],ARGV[10],"              \
        "'EX',math.max(1,last-now)) end "                                      \
        "if not listed then return 0 end " SCRIPT_SESSION_LIST

/* KEYS sessions; ARGV sid expires now interval. Returns 1, or 0 when it is not
 * listed. */
#define SCRIPT_SESSION_TOUCH                                        \
    SCRIPT_NUMBERS                                                  \
    "local v=redis.call('HGET',KEYS[1],ARGV[1]) "                   \
    "local now,ends=tonumber(ARGV[3]),tonumber(ARGV[2]) "           \
    "if not ours(v,25) or n(v,18)<=now then return 0 end "          \
    "if ends<=n(v,18) and (now<=n(v,10) or "                        \
    "now-n(v,10)<tonumber(ARGV[4])) then return 1 end "             \
    "local seen,e=math.max(n(v,10),now),math.max(n(v,18),ends) "    \
    "redis.call('HSET',KEYS[1],ARGV[1],v:sub(1,9)..p(seen)..p(e).." \
    "v:sub(26)) "                                                   \
    "if redis.call('TTL',KEYS[1])<e-now then "                      \
    "redis.call('EXPIRE',KEYS[1],keep(e-now)) end return 1"

/* KEYS spill; ARGV record seconds now. Returns 1, or 0 when there is none. */
#define SCRIPT_SPILL_REPLACE                                        \
    SCRIPT_NUMBERS                                                  \
    "local v=redis.call('GET',KEYS[1]) "                            \
    "if not ours(v,10) or n(v,2)<=tonumber(ARGV[3]) then return 0 " \
    "end redis.call('SET',KEYS[1],ARGV[1],'EX',ARGV[2]) return 1"

/*
 * KEYS counters; ARGV now, then limit, period and is_count_only of each.
 * Returns 0, or the seconds to wait. Same arithmetic as
 * record_counter_acquire(): Lua's doubles hold microseconds exactly until the
 * year 2255.
 */
#define SCRIPT_COUNTER_ACQUIRE                                              \
    SCRIPT_NUMBERS                                                          \
    "local now,wait,next=tonumber(ARGV[1])*1000000,0,{} "                   \
    "for i,k in ipairs(KEYS) do "                                           \
    "local limit,period=tonumber(ARGV[3*i-1]),tonumber(ARGV[3*i])*1000000 " \
    "local step=math.floor(period/limit) local at=0 "                       \
    "local v=redis.call('GET',k) "                                          \
    "if ours(v,9) and #v==9 then at=n(v,2) end "                            \
    "at=math.min(math.max(at,now),now+period) next[i]=at+step "             \
    "if ARGV[3*i+1]=='1' then next[i]=math.min(next[i],now+period) "        \
    "else wait=math.max(wait,at+step-period-now) end end "                  \
    "if wait>0 then return math.ceil(wait/1000000) end "                    \
    "for i,k in ipairs(KEYS) do "                                           \
    "redis.call('SET',k,rec(next[i]),"                                      \
    "'EX',math.floor((next[i]-now)/1000000)+1) end return 0"

/*
 * KEYS counters; ARGV now, then limit, period and mode of each: give back
 * "one", "all", or as much as the counter "before" it held. Returns how many
 * were not empty.
 */
#define SCRIPT_COUNTER_REFUND                                               \
    SCRIPT_NUMBERS                                                          \
    "local now,held,level=tonumber(ARGV[1])*1000000,0,0 "                   \
    "for i,k in ipairs(KEYS) do "                                           \
    "local limit,period=tonumber(ARGV[3*i-1]),tonumber(ARGV[3*i])*1000000 " \
    "local v=redis.call('GET',k) local at=0 "                               \
    "if ours(v,9) and #v==9 then at=n(v,2) end "                            \
    "at=math.min(math.max(at,now),now+period) "                             \
    "local before=level level=at-now if level>0 then held=held+1 end "      \
    "if ARGV[3*i+1]=='all' then at=0 "                                      \
    "elseif ARGV[3*i+1]=='before' then at=at-before "                       \
    "else at=at-math.floor(period/limit) end "                              \
    "if at>now then redis.call('SET',k,rec(at),"                            \
    "'EX',math.floor((at-now)/1000000)+1) else redis.call('DEL',k) end "    \
    "end return held"

#endif
