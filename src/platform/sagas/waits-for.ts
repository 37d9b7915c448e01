/** Until then nothing is said: a step begins within milliseconds of being asked for. */
const SOON_SECONDS = 5;

/**
 * What the oldest step waits for that was asked for and that nobody does, as a column of somebody else's statement; null when
 * none waits. `streams` is what stands for the streams of sagas there.
 */
export function waitsFor(streams: string): string {
  return `(
    select case
        when l.state = 'waiting' then 'its next attempt: the one before did not succeed'
        when l.effect_id is not null or h.alive_until < now() then 'the OMA instance that does it, which gives no sign of life'
        when other.title is not null then 'another step on the same thing: ' || other.title
        else 'a free place: as many steps like it are under way as may be at once' end
      from effect e left join effect_lease l on l.effect_id = e.effect_id
           left join instance h on h.instance_id = e.home
           left join effect_lease held
             on held.resource = e.resource and held.state <> 'settled' and held.effect_id <> e.effect_id
           left join effect other on other.effect_id = held.effect_id
     where e.stream = any(${streams}) and e.state in ('pending', 'cancelling')
       and (l.effect_id is null or l.state = 'waiting' or (l.state = 'running' and l.leased_until < now()))
       and e.requested_at < now() - interval '${SOON_SECONDS} seconds'
     order by e.requested_at, e.effect_id
     limit 1)`;
}
