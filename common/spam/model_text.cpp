// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "common/base/text.hpp"
#include "common/spam/model.hpp"

// A model as text: one line for what it is, one for how much it learned, then one for each feature and each message.
// Numbers only: what words the mail had cannot be read in it.
namespace gk::spam {

namespace {

std::string first_line() { return fmt::format("gk-spam-model 1 features {}", kFeaturesVersion); }

Result<std::vector<std::int64_t>> numbers(std::string_view line, std::size_t count) {
    std::vector<std::int64_t> out;
    for (const auto word :
         text::words(line).size() == count + 1 ? text::words(line) : std::vector<std::string_view>{}) {
        if (word.data() == line.data()) continue;
        const auto number = text::to_int(word);
        if (!number) break;
        out.push_back(*number);
    }
    if (out.size() != count) return fail(Errc::BadInput, "not a line of a model: '" + text::printable(line) + "'");
    return out;
}

}  // namespace

Status Model::export_to(const std::function<bool(std::string_view)>& sink) {
    // So that no other process learns between one table and the next.
    GK_TRY(auto transaction, db::Transaction::begin(db_));
    GK_TRY(const auto spam, state("spam"));
    GK_TRY(const auto ham, state("ham"));
    if (!sink(first_line()) || !sink(fmt::format("learned {} {}", spam, ham))) return ok();
    GK_TRY(auto features, db_.prepare("SELECT id, weight, messages, day FROM features ORDER BY id"));
    GK_TRY(auto learned, db_.prepare("SELECT id, spam, traits, words, pairs, day FROM learned ORDER BY id"));
    while (true) {
        GK_TRY(const bool row, features.step());
        if (!row) break;
        if (!sink(fmt::format("feature {} {} {} {}", features.integer(0), features.integer(1), features.integer(2),
                              features.integer(3)))) {
            features.reset();
            return ok();
        }
    }
    while (true) {
        GK_TRY(const bool row, learned.step());
        if (!row) break;
        if (!sink(fmt::format("message {} {} {} {} {} {}", learned.integer(0), learned.integer(1), learned.integer(2),
                              learned.integer(3), learned.integer(4), learned.integer(5)))) {
            learned.reset();
            return ok();
        }
    }
    return transaction.commit();
}

Status Model::import_from(const std::function<bool(std::string&)>& line) {
    std::string text;
    if (!line(text) || text != first_line())
        return fail(Errc::BadInput, "the first line is not '" + first_line() + "': no model of this version");
    GK_TRY(auto transaction, begin(0));
    GK_CHECK(db_.execute("DELETE FROM features; DELETE FROM learned;"));
    learned_ = {};
    GK_TRY(auto feature, db_.prepare("INSERT OR REPLACE INTO features VALUES(?, ?, ?, ?)"));
    GK_TRY(auto message, db_.prepare("INSERT OR REPLACE INTO learned VALUES(?, ?, ?, ?, ?, ?)"));
    while (line(text)) {
        if (text.starts_with("feature ")) {
            GK_TRY(const auto n, numbers(text, 4));
            for (const auto number : n) feature.bind(number);
            GK_CHECK(feature.run());
        } else if (text.starts_with("message ")) {
            GK_TRY(const auto n, numbers(text, 6));
            for (const auto number : n) message.bind(number);
            GK_CHECK(message.run());
        } else {
            GK_TRY(const auto n, numbers(text, 2));
            if (!text.starts_with("learned ") || n[0] < 0 || n[1] < 0)
                return fail(Errc::BadInput, "not a line of a model: '" + text::printable(text) + "'");
            learned_ = {static_cast<std::uint64_t>(n[0]), static_cast<std::uint64_t>(n[1])};
        }
    }
    GK_CHECK(rebuild_table(0));
    return commit(transaction, {});
}

}  // namespace gk::spam
