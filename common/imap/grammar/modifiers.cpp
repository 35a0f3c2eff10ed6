// SPDX-License-Identifier: MIT
#include "common/imap/grammar/rules.hpp"

// Commands that take modifiers in parentheses (RFC 4466).
namespace gk::imap {

namespace {

// A set as a client remembers one: "*" would not say which message was meant.
SequenceSet known_set(Scanner& in) {
    SequenceSet set = in.sequence_set();
    const bool open = set.saved || std::any_of(set.ranges.begin(), set.ranges.end(), [](const SequenceRange& range) {
                          return range.first == kLargest || range.last == kLargest;
                      });
    if (open) in.fail("a set of known messages takes numbers only");
    return set;
}

// How many numbers SET names; 0 where they do not ascend.
std::uint64_t ascending_count(const SequenceSet& set) {
    std::uint64_t count = 0;
    std::uint32_t last = 0;
    for (const SequenceRange& range : set.ranges) {
        if (range.first <= last || range.last < range.first) return 0;
        last = range.last;
        count += std::uint64_t{range.last} - range.first + 1;
    }
    return count;
}

// "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP "(" known-sequence-set SP known-uid-set ")"] ")"
// RFC 7162, 3.2.5
Resync resync_parameter(Scanner& in) {
    Resync resync;
    in.space();
    in.expect('(');
    resync.uidvalidity = in.nz_number();
    in.space();
    resync.modseq = in.nz_number64();
    bool more = in.accept(' ');
    if (more && !in.next_is('(')) {
        resync.known_uids = known_set(in);
        more = in.accept(' ');
    }
    if (more) {
        in.expect('(');
        SequenceSet numbers = known_set(in);
        in.space();
        SequenceSet uids = known_set(in);
        in.expect(')');
        const std::uint64_t count = ascending_count(numbers);
        if (count == 0 || count != ascending_count(uids))
            in.fail("sequence numbers and their UIDs must ascend, and be equally many");
        resync.matches.emplace(std::move(numbers), std::move(uids));
    }
    in.expect(')');
    return resync;
}

}  // namespace

// select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]; RFC 4466, 2.1; RFC 7162, 3.1.8 and 3.2.5
Select select_command(Scanner& in, bool read_only) {
    Select select;
    select.read_only = read_only;
    in.space();
    select.mailbox = in.mailbox();
    if (!in.accept(' ')) return select;
    in.expect('(');
    do {
        if (in.accept_word("CONDSTORE")) select.condstore = true;
        else if (in.accept_word("QRESYNC")) select.resync = resync_parameter(in);
        else in.fail("an unknown parameter");
    } while (in.accept(' '));
    in.expect(')');
    return select;
}

// fetch = "FETCH" SP sequence-set SP items [SP "(" fetch-modifier *(SP fetch-modifier) ")"]
// CHANGEDSINCE: RFC 7162, 3.1.4.1; VANISHED: 3.2.6; PARTIAL: RFC 9394, 3.3
Fetch fetch_command(Scanner& in, bool uid) {
    Fetch fetch;
    fetch.uid = uid;
    in.space();
    fetch.set = in.sequence_set();
    in.space();
    fetch.items = fetch_items(in);
    if (!in.accept(' ')) return fetch;
    in.expect('(');
    do {
        if (in.accept_word("CHANGEDSINCE")) {
            in.space();
            fetch.changed_since = in.nz_number64();
        } else if (in.accept_word("VANISHED")) {
            fetch.vanished = true;
        } else if (in.accept_word("PARTIAL")) {
            if (!uid) in.fail("PARTIAL is for UID FETCH");
            if (fetch.partial) in.fail("PARTIAL is given twice");
            in.space();
            fetch.partial = partial_range(in);
        } else {
            in.fail("an unknown modifier");
        }
    } while (in.accept(' '));
    in.expect(')');
    if (fetch.vanished && (!uid || !fetch.changed_since)) in.fail("VANISHED fits only UID FETCH with CHANGEDSINCE");
    return fetch;
}

// store = "STORE" SP sequence-set [SP "(" store-modifier *(SP store-modifier) ")"] SP ["+" / "-"] "FLAGS" [".SILENT"]
// SP
//         (flag-list / flag *(SP flag))
// RFC 9051, 6.4.6; UNCHANGEDSINCE: RFC 7162, 3.1.3
Store store_command(Scanner& in, bool uid) {
    Store store;
    store.uid = uid;
    in.space();
    store.set = in.sequence_set();
    in.space();
    if (in.accept('(')) {
        do {
            if (!in.accept_word("UNCHANGEDSINCE")) in.fail("an unknown modifier");
            in.space();
            store.unchanged_since = in.number64();
        } while (in.accept(' '));
        in.expect(')');
        in.space();
    }
    if (in.accept('+')) store.mode = Store::Mode::Add;
    else if (in.accept('-')) store.mode = Store::Mode::Remove;
    if (in.accept_word("FLAGS.SILENT")) store.silent = true;
    else if (!in.accept_word("FLAGS")) in.fail("FLAGS expected");
    in.space();
    if (in.next_is('(')) {
        store.flags = in.flag_list();
    } else {
        do store.flags.push_back(in.flag());
        while (in.accept(' '));
    }
    return store;
}

}  // namespace gk::imap
