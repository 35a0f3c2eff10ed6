// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/result.hpp"
#include "common/db/database.hpp"
#include "common/spam/features.hpp"
#include "common/spam/score.hpp"
#include "common/spam/table.hpp"

// What was learned: spam.db in a directory, one for an account and one that all share, and the table beside it.
// Several processes may learn at once; each batch is one transaction. One thread.
namespace gk::spam {

struct ModelOptions {
    std::size_t features = 1'000'000;  // past it those are left out that were learned long ago and once
    std::size_t messages = 100'000;    // whose learning is remembered; an older one learned again counts again
};

struct Sample {
    std::uint64_t identity = 0;
    bool spam = false;
    Features features{0};
};

struct LearnOptions {
    // Judged together with this one: what the shared model knows, an account's need not learn.
    const Table* beside = nullptr;
    // Messages that were learned before are gone over again, as a training of several passes does.
    bool again = false;
};

struct LearnCount {
    std::size_t learned = 0;   // new, or of the other kind before
    std::size_t known = 0;     // learned as that before
    std::size_t doubtful = 0;  // whose features' weights were changed
};

struct Stats {
    Learned learned;
    std::uint64_t features = 0, remembered = 0, bytes = 0;
};

class Model {
public:
    // Makes DIRECTORY and the files in it.
    static Result<Model> open(const std::string& directory, const ModelOptions& options = {});
    static std::string table_path(const std::string& directory) { return directory + "/spam.table"; }

    // A message counts once, however often it is learned; learned as the other kind, it is forgotten as the first.
    Result<LearnCount> learn(const std::vector<Sample>& samples, const LearnOptions& options = {});
    // How many were known. Weights become what they would be without the message's own steps, to the last bit.
    Result<std::size_t> forget(const std::vector<Sample>& samples);

    Result<Stats> stats();
    // Lines of text that import_from takes again. SINK returns false to stop.
    Status export_to(const std::function<bool(std::string_view)>& sink);
    // LINE gives one line after the other, and false at the end. In place of all there is.
    Status import_from(const std::function<bool(std::string&)>& line);

    const Table& table() const noexcept { return table_; }

private:
    struct Change {
        std::int64_t weight = 0, messages = 0;
    };
    using Changes = std::unordered_map<std::uint64_t, Change>;

    Result<db::Transaction> begin(std::size_t more);
    Status commit(db::Transaction& transaction, const Changes& changes);
    Status rebuild_table(std::size_t room);
    Status prune();
    Status undo(const Sample& sample, Changes& changes, bool& known);
    void apply(const Features& features, const Steps& steps, int messages, Changes& changes);
    Result<std::int64_t> state(std::string_view key);
    Status set_state(std::string_view key, std::int64_t value);

    std::string directory_;
    ModelOptions options_;
    db::Database db_;
    Table table_;
    std::int64_t today_ = 0;
    Learned learned_;  // within a transaction
    std::int64_t generation_ = 0;
};

}  // namespace gk::spam
