// SPDX-License-Identifier: MIT
#include "common/imap/search/contexts.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "common/imap/grammar/rules.hpp"
#include "common/imap/search/answer.hpp"

namespace gk::imap {

namespace {

store::ModSeq newest(const View& view) {
    store::ModSeq modseq = 0;
    for (const store::Row& row : view.rows()) modseq = std::max(modseq, row.modseq);
    return modseq;
}

// A place in a result, and what comes or goes there.
using Steps = std::vector<std::pair<std::size_t, store::Uid>>;

void append_steps(std::string& out, std::string_view word, std::string_view tag, bool uid, const View& view,
                  const Steps& steps) {
    begin_esearch(out, tag, uid);
    fmt::format_to(std::back_inserter(out), " {} (", word);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const std::uint32_t number = uid ? steps[i].second : view.find(steps[i].second).value_or(0) + 1;
        fmt::format_to(std::back_inserter(out), "{}{} {}", i > 0 ? " " : "", steps[i].first, number);
    }
    out += ")\r\n";
}

// RFC 5267, 4.3.1: a result that is not sorted has no places of its own, which 0 says.
void append_unsorted(std::string& out, std::string_view word, std::string_view tag, bool uid, const View& view,
                     const std::vector<store::Uid>& uids) {
    begin_esearch(out, tag, uid);
    fmt::format_to(std::back_inserter(out), " {} (0 ", word);
    std::vector<std::uint32_t> numbers = uids;
    if (!uid)
        for (std::uint32_t& number : numbers) number = view.find(number).value_or(0) + 1;
    append_uid_set(out, numbers);
    out += ")\r\n";
}

}  // namespace

bool Contexts::add(std::string tag, bool uid, SearchKey key, std::vector<SortKey> keys, std::vector<store::Uid> result,
                   const View& view) {
    cancel(tag);
    // Sequence numbers and "$" mean something else with every change.
    if (contexts_.size() >= kMost || names_sequence_numbers(key) || names_saved_result(key) ||
        contains(key, SearchKey::Kind::Fuzzy))
        return false;
    contexts_.push_back({std::move(tag), uid, std::move(key), std::move(keys), std::move(result), newest(view)});
    return true;
}

bool Contexts::cancel(std::string_view tag) {
    return std::erase_if(contexts_, [&](const Context& context) { return context.tag == tag; }) > 0;
}

void Contexts::update(std::string& out, View& view, std::int64_t now_s) {
    std::erase_if(contexts_, [&](Context& context) {
        const std::size_t before = out.size();
        if (update(out, context, view, now_s)) return false;
        out.resize(before);
        fmt::format_to(std::back_inserter(out), "* NO [NOUPDATE \"{}\"] Ask again\r\n", context.tag);
        return true;
    });
}

Status Contexts::update(std::string& out, Context& context, View& view, std::int64_t now_s) {
    std::vector<std::uint32_t> changed;
    store::ModSeq seen = context.seen;
    for (std::uint32_t index = 0; index < view.exists(); ++index) {
        const store::Row& row = view.rows()[index];
        if (row.modseq <= context.seen) continue;
        changed.push_back(index);
        seen = std::max(seen, row.modseq);
    }
    if (changed.empty()) return ok();
    if (changed.size() > kMostChanges) return fail(Errc::Unsupported, "too many changes");
    static const std::vector<store::Uid> kNothingSaved;
    GK_TRY(const auto matching,
           find_among(view, prepare(context.key, {.view = view, .saved = kNothingSaved, .now_s = now_s}), changed));
    context.seen = seen;
    std::vector<store::Uid> sorted = context.result;
    std::sort(sorted.begin(), sorted.end());
    std::vector<store::Uid> added, gone;
    for (const std::uint32_t index : changed) {
        const store::Uid uid = view.rows()[index].uid;
        const bool had = std::binary_search(sorted.begin(), sorted.end(), uid);
        const bool has = std::binary_search(matching.begin(), matching.end(), index);
        if (has && !had) added.push_back(uid);
        if (had && !has) gone.push_back(uid);
    }
    if (!gone.empty()) remove(out, context, view, gone);
    if (added.empty()) return ok();
    context.result.insert(context.result.end(), added.begin(), added.end());
    std::sort(context.result.begin(), context.result.end());
    if (context.keys.empty()) {
        append_unsorted(out, "ADDTO", context.tag, context.uid, view, added);
        return ok();
    }
    Order order(context.keys);
    std::vector<std::uint32_t> indices;
    for (const store::Uid uid : context.result)
        if (const auto index = view.find(uid)) indices.push_back(*index);
    GK_CHECK(order.add_all(view, indices));
    context.result.clear();
    for (const std::uint32_t index : order.take()) context.result.push_back(view.rows()[index].uid);
    Steps steps;
    for (std::size_t i = 0; i < context.result.size(); ++i)
        if (std::binary_search(added.begin(), added.end(), context.result[i]))
            steps.emplace_back(i + 1, context.result[i]);
    append_steps(out, "ADDTO", context.tag, context.uid, view, steps);
    return ok();
}

void Contexts::remove(std::string& out, Context& context, const View& view, const std::vector<store::Uid>& gone) {
    const auto is_gone = [&](store::Uid uid) { return std::binary_search(gone.begin(), gone.end(), uid); };
    if (context.keys.empty()) {
        std::vector<store::Uid> uids;
        for (const store::Uid uid : context.result)
            if (is_gone(uid)) uids.push_back(uid);
        if (!uids.empty()) append_unsorted(out, "REMOVEFROM", context.tag, context.uid, view, uids);
    } else {
        // Each step's place is that after the steps before it.
        Steps steps;
        for (std::size_t i = 0; i < context.result.size(); ++i)
            if (is_gone(context.result[i])) steps.emplace_back(i + 1 - steps.size(), context.result[i]);
        if (!steps.empty()) append_steps(out, "REMOVEFROM", context.tag, context.uid, view, steps);
    }
    std::erase_if(context.result, is_gone);
}

void Contexts::before_expunge(std::string& out, const View& view) {
    const std::vector<store::Uid> gone = view.vanished();
    if (gone.empty()) return;
    for (Context& context : contexts_) remove(out, context, view, gone);
}

}  // namespace gk::imap
