;; The module that `simd-scan.ts` runs on the memory that all sockets read into. The memory holds the bytes of sockets
;; from 0 on, the table of frames from 524288 on, and joined payloads after the table. An entry of the table has 16
;; octets: start, end, first octet of the header (with 0x100 unless all is ASCII), and masking key.
(module
  (memory (import "shared" "memory") 9)

  ;; XORs the octets of [at, end) with those of the key, starting with its lowest octet (RFC 6455 section 5.3).
  ;; Returns 0 if the result is all ASCII.
  (func $unmask (export "unmask") (param $at i32) (param $end i32) (param $key i32) (result i32)
    (local $keys v128) (local $octets v128) (local $seen v128) (local $word i32) (local $rest i32)
    (local.set $keys (i32x4.splat (local.get $key)))
    (block $done
      (loop $next
        (br_if $done (i32.gt_s (local.get $at) (i32.sub (local.get $end) (i32.const 16))))
        (local.set $octets (v128.xor (v128.load align=1 (local.get $at)) (local.get $keys)))
        (v128.store align=1 (local.get $at) (local.get $octets))
        (local.set $seen (v128.or (local.get $seen) (local.get $octets)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $next)))
    (block $done
      (loop $next
        (br_if $done (i32.gt_s (local.get $at) (i32.sub (local.get $end) (i32.const 4))))
        (local.set $word (i32.xor (i32.load align=1 (local.get $at)) (local.get $key)))
        (i32.store align=1 (local.get $at) (local.get $word))
        (local.set $rest (i32.or (local.get $rest) (local.get $word)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $next)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_s (local.get $at) (local.get $end)))
        (local.set $word (i32.xor (i32.load8_u (local.get $at)) (i32.and (local.get $key) (i32.const 0xff))))
        (i32.store8 (local.get $at) (local.get $word))
        (local.set $rest (i32.or (local.get $rest) (local.get $word)))
        (local.set $key (i32.rotr (local.get $key) (i32.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.or
      (i32.and (local.get $rest) (i32.const 0x80808080))
      (i8x16.bitmask (local.get $seen))))

  ;; Finds complete single-frame messages from `at` on (section 5.2: FIN, no reserved bit, text or binary, masked),
  ;; unmasks them and records them in the table. It stops after `max` messages, or at the first other frame.
  ;; Returns the number of messages.
  (func (export "scan") (param $at i32) (param $end i32) (param $max i32) (result i32)
    (local $count i32) (local $first i32) (local $length i32) (local $start i32) (local $entry i32)
    (local.set $entry (i32.const 524288))
    (block $done
      (loop $next
        (br_if $done (i32.ge_s (local.get $count) (local.get $max)))
        (br_if $done (i32.lt_s (i32.sub (local.get $end) (local.get $at)) (i32.const 6)))
        (local.set $first (i32.load8_u (local.get $at)))
        (br_if $done
          (i32.and (i32.ne (local.get $first) (i32.const 0x81)) (i32.ne (local.get $first) (i32.const 0x82))))
        (local.set $length (i32.load8_u offset=1 (local.get $at)))
        (br_if $done (i32.lt_u (local.get $length) (i32.const 0x80)))
        (local.set $length (i32.and (local.get $length) (i32.const 0x7f)))
        (local.set $start (i32.add (local.get $at) (i32.const 6)))
        (if (i32.eq (local.get $length) (i32.const 126))
          (then
            (br_if $done (i32.lt_s (i32.sub (local.get $end) (local.get $at)) (i32.const 8)))
            (local.set $length
              (i32.or
                (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 8))
                (i32.load8_u offset=3 (local.get $at))))
            (br_if $done (i32.lt_u (local.get $length) (i32.const 126)))
            (local.set $start (i32.add (local.get $at) (i32.const 8)))))
        (if (i32.eq (i32.load8_u offset=1 (local.get $at)) (i32.const 0xff))
          (then
            (br_if $done (i32.lt_s (i32.sub (local.get $end) (local.get $at)) (i32.const 14)))
            ;; A message this long cannot be complete.
            (br_if $done (i32.load offset=2 align=1 (local.get $at)))
            (local.set $length
              (i32.or
                (i32.or
                  (i32.shl (i32.load8_u offset=6 (local.get $at)) (i32.const 24))
                  (i32.shl (i32.load8_u offset=7 (local.get $at)) (i32.const 16)))
                (i32.or
                  (i32.shl (i32.load8_u offset=8 (local.get $at)) (i32.const 8))
                  (i32.load8_u offset=9 (local.get $at)))))
            (br_if $done (i32.lt_u (local.get $length) (i32.const 65536)))
            ;; The sum below would overflow.
            (br_if $done (i32.gt_u (local.get $length) (i32.sub (local.get $end) (local.get $at))))
            (local.set $start (i32.add (local.get $at) (i32.const 14)))))
        (local.set $at (i32.add (local.get $start) (local.get $length)))
        (br_if $done (i32.gt_s (local.get $at) (local.get $end)))
        (i32.store (local.get $entry) (local.get $start))
        (i32.store offset=4 (local.get $entry) (local.get $at))
        (i32.store offset=12 (local.get $entry) (i32.load align=1 (i32.sub (local.get $start) (i32.const 4))))
        (i32.store offset=8 (local.get $entry)
          (i32.or
            (local.get $first)
            (i32.shl
              (i32.ne
                (call $unmask (local.get $start) (local.get $at) (i32.load offset=12 (local.get $entry)))
                (i32.const 0))
              (i32.const 8))))
        (local.set $entry (i32.add (local.get $entry) (i32.const 16)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br $next)))
    (local.get $count))

  ;; Copies the payloads of consecutive continuation frames from `at` on to `to`, and unmasks them there. It takes
  ;; frames that are complete, shorter than 126 octets, and not the last of a message, up to `most` octets in all.
  ;; Returns the start of the first frame that was not taken. The first word of the table receives the end of the copied
  ;; octets.
  (func (export "join") (param $at i32) (param $end i32) (param $to i32) (param $most i32) (result i32)
    (local $length i32) (local $from i32) (local $stop i32) (local $key i32) (local $keys v128)
    (block $done
      (loop $next
        (br_if $done (i32.lt_s (i32.sub (local.get $end) (local.get $at)) (i32.const 6)))
        (br_if $done (i32.load8_u (local.get $at)))
        (local.set $length (i32.sub (i32.load8_u offset=1 (local.get $at)) (i32.const 0x80)))
        (br_if $done (i32.ge_u (local.get $length) (i32.const 126)))
        (br_if $done (i32.gt_s (local.get $length) (local.get $most)))
        (local.set $from (i32.add (local.get $at) (i32.const 6)))
        (local.set $stop (i32.add (local.get $from) (local.get $length)))
        (br_if $done (i32.gt_s (local.get $stop) (local.get $end)))
        (local.set $key (i32.load offset=2 align=1 (local.get $at)))
        (local.set $keys (i32x4.splat (local.get $key)))
        (block $small
          (loop $more
            (br_if $small (i32.gt_s (local.get $from) (i32.sub (local.get $stop) (i32.const 16))))
            (v128.store align=1 (local.get $to) (v128.xor (v128.load align=1 (local.get $from)) (local.get $keys)))
            (local.set $from (i32.add (local.get $from) (i32.const 16)))
            (local.set $to (i32.add (local.get $to) (i32.const 16)))
            (br $more)))
        (block $small
          (loop $more
            (br_if $small (i32.gt_s (local.get $from) (i32.sub (local.get $stop) (i32.const 4))))
            (i32.store align=1 (local.get $to) (i32.xor (i32.load align=1 (local.get $from)) (local.get $key)))
            (local.set $from (i32.add (local.get $from) (i32.const 4)))
            (local.set $to (i32.add (local.get $to) (i32.const 4)))
            (br $more)))
        (block $small
          (loop $more
            (br_if $small (i32.ge_s (local.get $from) (local.get $stop)))
            (i32.store8 (local.get $to)
              (i32.xor (i32.load8_u (local.get $from)) (i32.and (local.get $key) (i32.const 0xff))))
            (local.set $key (i32.rotr (local.get $key) (i32.const 8)))
            (local.set $from (i32.add (local.get $from) (i32.const 1)))
            (local.set $to (i32.add (local.get $to) (i32.const 1)))
            (br $more)))
        (local.set $most (i32.sub (local.get $most) (local.get $length)))
        (local.set $at (local.get $stop))
        (br $next)))
    (i32.store (i32.const 524288) (local.get $to))
    (local.get $at)))
