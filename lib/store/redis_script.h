/* SPDX-License-Identifier: ISC */
/*
 * redis_script.h - what Redis does in one step: Lua, and what it is given.
 *
 * Records are those of store/record.h. Each script gets all it needs as KEYS
 * and ARGV, and never reads Redis's clock: how long a key stays is counted
 * from the caller's now. Redis forgets keys by itself; whether a record
 * still counts is decided by the time inside it.
 */
#ifndef POSTERN_STORE_REDIS_SCRIPT_H
#define POSTERN_STORE_REDIS_SCRIPT_H

#include "store/record.h"

/* n: the number at byte o of s; p: its eight bytes; rec: a version 1 record
 * of one number. */
#define SCRIPT_NUMBERS                                                        \
    "local function n(s,o) local x=0 for i=o,o+7 do x=x*256+s:byte(i) end "   \
    "return x end "                                                           \
    "local function p(x) local t={} for i=8,1,-1 do t[i]=string.char(x%256) " \
    "x=math.floor(x/256) end return table.concat(t) end "                     \
    "local function rec(x) return string.char(1)..p(x) end "                  \
    "local function ours(s,len) return s and #s>=len and s:byte(1)==1 end "

/* since, newest = getsince(key), which ends the script where it cannot be
 * read; putsince(key, since, newest, now). The spans are ARGV's last two:
 * PST_LIFETIME_MAX and PST_CLOCK_SKEW_MAX. */
#define SCRIPT_SINCE                                                        \
    "local span,skew=tonumber(ARGV[#ARGV-1]),tonumber(ARGV[#ARGV]) "        \
    "local function getsince(k) local s=redis.call('GET',k) "               \
    "if not s then return 0,0 end "                                         \
    "if not ours(s,17) or #s~=17 then error('" RECORD_NEWER_ERROR "') end " \
    "return n(s,2),n(s,10) end "                                            \
    "local function putsince(k,since,newest,now) "                          \
    "local ends=newest+skew if since>0 then ends=since+span+skew end "      \
    "redis.call('SET',k,string.char(1)..p(since)..p(newest),"               \
    "'EX',math.max(1,ends-now)) end "

/* revoke(revoked, spill, record, seconds). A record that stays longer already
 * is left alone. */
#define SCRIPT_REVOKE_FUNCTION                       \
    "local function revoke(k,spill,record,seconds) " \
    "local stay=redis.call('TTL',k) "                \
    "if stay~=-1 and stay<tonumber(seconds) then "   \
    "redis.call('SET',k,record,'EX',seconds) end "   \
    "redis.call('DEL',spill) end "

/* KEYS revoked spill [sessions]; ARGV record seconds sid. */
#define SCRIPT_REVOKE_SESSION                                 \
    SCRIPT_REVOKE_FUNCTION                                    \
    "revoke(KEYS[1],KEYS[2],ARGV[1],ARGV[2]) "                \
    "if KEYS[3] then redis.call('HDEL',KEYS[3],ARGV[3]) end " \
    "return 1"

/* KEYS since; ARGV now span skew. Returns the instant. */
#define SCRIPT_REVOKE_ALL                                             \
    SCRIPT_NUMBERS SCRIPT_SINCE                                       \
        "local now=tonumber(ARGV[1]) "                                \
        "local since,newest=getsince(KEYS[1]) local s=now "           \
        "if newest>now then s=math.min(newest,now+skew) end "         \
        "if since>s then s=since end putsince(KEYS[1],s,newest,now) " \
        "return s"

/* The rest of SCRIPT_SESSION_REPLACE: make room in the list `all`, in which the
 * old session does not count, and put the new one in. */
#define SCRIPT_SESSION_LIST                                                   \
    "local live={} for i=1,#all,2 do local f,v=all[i],all[i+1] "              \
    "if f~=sid and f~=ARGV[11] and ours(v,25) then local c,e=n(v,2),n(v,18) " \
    "if e<=now or c<=since then redis.call('HDEL',KEYS[1],f) "                \
    "else live[#live+1]={c,f,e} if e>last then last=e end end end end "       \
    "table.sort(live,function(a,b) "                                          \
    "return a[1]<b[1] or (a[1]==b[1] and a[2]<b[2]) end) "                    \
    "for i=1,#live-max+1 do local f,e=live[i][2],live[i][3] "                 \
    "if ARGV[7]=='1' then "                                                   \
    "redis.call('SET',ARGV[8]..f,rec(e),'EX',e-now+skew) "                    \
    "redis.call('DEL',ARGV[9]..f) end "                                       \
    "redis.call('HDEL',KEYS[1],f) end "                                       \
    "redis.call('HSET',KEYS[1],sid,ARGV[2]) "                                 \
    "redis.call('EXPIRE',KEYS[1],math.max(1,last-now)) "                      \
    "if created>newest then putsince(KEYS[2],since,created,now) end "         \
    "return 0"

/*
 * KEYS sessions since spill old-revoked old-spill old-sessions old-since
 * guest-revoked guest-spill;
 * ARGV sid record created expires now max ends revoked spill blob, old sid
 * listed iat record seconds follows, guest record seconds, span skew. `record`
 * is empty for a guest; `max` is how many may be listed, `ends` 1 when those
 * over it are ended as well; `revoked` and `spill` are what their keys begin
 * with; `blob` is empty where nothing is spilled; `old sid` is empty where
 * there is no old session, `listed` 1 when it is no guest's, `follows` 1 when
 * it has to be good; `guest record` is empty where no guest's session ends as
 * well. Keys of what is not there end in no id.
 * Returns 0; -1 where the old session was ended; or the instant at which the
 * new one's user ended all, where the new one is not after that. Everything
 * is read before anything is written: a script that fails undoes nothing.
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

/* KEYS sessions; ARGV sid expires now. Returns 1, or 0 when it is not there. */
#define SCRIPT_SESSION_TOUCH                                        \
    SCRIPT_NUMBERS                                                  \
    "local v=redis.call('HGET',KEYS[1],ARGV[1]) "                   \
    "local now,ends=tonumber(ARGV[3]),tonumber(ARGV[2]) "           \
    "if not ours(v,25) or n(v,18)<=now then return 0 end "          \
    "local seen,e=math.max(n(v,10),now),math.max(n(v,18),ends) "    \
    "redis.call('HSET',KEYS[1],ARGV[1],v:sub(1,9)..p(seen)..p(e).." \
    "v:sub(26)) "                                                   \
    "if redis.call('TTL',KEYS[1])<e-now then "                      \
    "redis.call('EXPIRE',KEYS[1],e-now) end return 1"

/* KEYS spill; ARGV record seconds now. Returns 1, or 0 when it is not there. */
#define SCRIPT_SPILL_REPLACE                                        \
    SCRIPT_NUMBERS                                                  \
    "local v=redis.call('GET',KEYS[1]) "                            \
    "if not ours(v,10) or n(v,2)<=tonumber(ARGV[3]) then return 0 " \
    "end redis.call('SET',KEYS[1],ARGV[1],'EX',ARGV[2]) return 1"

/*
 * KEYS counters; ARGV now, then limit, period and is_count_only of each.
 * Returns 0, or the seconds to wait. The arithmetic is
 * record_counter_acquire()'s; doubles hold microseconds exactly until the year
 * 2255.
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
 * KEYS counters; ARGV now, then limit, period and way of each: give back one,
 * all, or as much as the counter before it held. Returns how many were not
 * empty.
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
