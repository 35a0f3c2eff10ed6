// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <random>

#include "cmd/gk-spam/gk_spam.hpp"
#include "common/cli/cli.hpp"
#include "common/os/file.hpp"

namespace gk::spam_tool {

namespace {

// Messages of one transaction: other processes wait no longer than these take.
constexpr std::size_t kBatch = 200;
constexpr std::size_t kMostPasses = 100;

struct Opened {
    Place place;
    spam::Model model;
    spam::Table shared;  // beside an account's own model; else empty
    spam::FeatureLimits limits;
};

Result<Opened> open(const Arguments& a) {
    Opened opened;
    GK_TRY(opened.place, place_of(a));
    GK_TRY(opened.model, spam::Model::open(opened.place.learned(), opened.place.learned_options()));
    opened.limits = spam::feature_limits(opened.place.config);
    if (opened.place.own.empty() || opened.place.shared.empty()) return opened;
    auto table = spam::Table::open(spam::Model::table_path(opened.place.shared));
    if (table) opened.shared = std::move(*table);
    else if (table.error().code != Errc::NotFound) return fail(table.error());
    return opened;
}

spam::Sample sample_of(std::string_view bytes, bool spam, const spam::FeatureLimits& limits) {
    auto features = spam::features_of(bytes, limits);
    const auto identity = spam::identity_of(features);
    return {identity, spam, std::move(features)};
}

// Collects samples and hands them to the model batch by batch.
class Batches {
public:
    Batches(const Opened& opened, std::function<Status(const std::vector<spam::Sample>&)> give)
        : opened_(opened), give_(std::move(give)) {}
    Status add(std::string_view bytes, bool spam) {
        samples_.push_back(sample_of(bytes, spam, opened_.limits));
        return samples_.size() < kBatch ? ok() : flush();
    }
    Status flush() {
        const Status given = samples_.empty() ? ok() : give_(samples_);
        samples_.clear();
        return given;
    }

private:
    const Opened& opened_;
    std::function<Status(const std::vector<spam::Sample>&)> give_;
    std::vector<spam::Sample> samples_;
};

Status add_all(Batches& batches, const std::vector<std::string>& paths, bool spam, cli::Progress& progress) {
    for (const std::string& path : paths) {
        GK_CHECK(read_messages(path, [&](const std::string&, std::string_view bytes) {
            progress.advance();
            return batches.add(bytes, spam);
        }));
    }
    return batches.flush();
}

std::vector<std::string> sources(const Arguments& a) {
    return a.messages.empty() ? std::vector<std::string>{"-"} : a.messages;
}

void report(const Arguments& a, const spam::LearnCount& count) {
    cli::Rows rows(a.json, {"learned", "known", "doubtful"});
    rows.add({static_cast<std::int64_t>(count.learned), static_cast<std::int64_t>(count.known),
              static_cast<std::int64_t>(count.doubtful)});
}

}  // namespace

int learn(const Arguments& a) {
    if (a.pending) {
        if (a.spam || a.ham || !a.messages.empty())
            return cli::usage("--pending says itself what is learned, and as what");
        return learn_pending(a);
    }
    if (a.spam == a.ham) return cli::usage("say what the messages are: one of --spam and --ham");
    auto opened = open(a);
    if (!opened) return failed(opened.error());
    spam::LearnCount sum;
    Batches batches(*opened, [&](const std::vector<spam::Sample>& samples) -> Status {
        GK_TRY(const auto count, opened->model.learn(samples, {.beside = &opened->shared}));
        sum.learned += count.learned;
        sum.known += count.known;
        sum.doubtful += count.doubtful;
        return ok();
    });
    cli::Progress progress("learning", count_files(sources(a)));
    if (const Status done = add_all(batches, sources(a), a.spam, progress); !done) return cli::fail(done.error());
    report(a, sum);
    return 0;
}

int forget(const Arguments& a) {
    auto opened = open(a);
    if (!opened) return failed(opened.error());
    std::size_t known = 0, all = 0;
    Batches batches(*opened, [&](const std::vector<spam::Sample>& samples) -> Status {
        GK_TRY(const auto count, opened->model.forget(samples));
        known += count;
        all += samples.size();
        return ok();
    });
    cli::Progress progress("forgetting", count_files(sources(a)));
    if (const Status done = add_all(batches, sources(a), false, progress); !done) return cli::fail(done.error());
    cli::Rows rows(a.json, {"forgotten", "unknown"});
    rows.add({static_cast<std::int64_t>(known), static_cast<std::int64_t>(all - known)});
    return 0;
}

// Several passes over all of it, spam and ham mixed, until a pass finds nothing doubtful any more.
int train(const Arguments& a) {
    if (a.passes < 1 || a.passes > static_cast<std::int64_t>(kMostPasses))
        return cli::usage(fmt::format("--passes is 1 to {}", kMostPasses));
    auto opened = open(a);
    if (!opened) return failed(opened.error());
    std::vector<std::pair<std::string, bool>> files;
    for (const bool spam : {true, false}) {
        const std::string directory = a.directory + (spam ? "/spam" : "/ham");
        const auto found = files_below(directory);
        if (!found) return cli::fail(found.error());
        for (const std::string& file : *found) files.emplace_back(file, spam);
    }
    std::mt19937 random(1);  // the same order each time, so that the same mail makes the same model
    spam::LearnCount sum;
    cli::Progress progress("training", files.size() * static_cast<std::size_t>(a.passes));
    for (std::int64_t pass = 0; pass < a.passes; ++pass) {
        std::shuffle(files.begin(), files.end(), random);
        spam::LearnCount now;
        Batches batches(*opened, [&](const std::vector<spam::Sample>& samples) -> Status {
            GK_TRY(const auto count, opened->model.learn(samples, {.beside = &opened->shared, .again = true}));
            now.learned += count.learned;
            now.known += count.known;
            now.doubtful += count.doubtful;
            return ok();
        });
        for (const auto& [file, spam] : files) {
            const Status read = read_messages(file, [&, is_spam = spam](const std::string&, std::string_view bytes) {
                return batches.add(bytes, is_spam);
            });
            if (!read) return cli::fail(read.error());
            progress.advance();
        }
        if (const Status done = batches.flush(); !done) return cli::fail(done.error());
        if (pass == 0) sum = now;
        else sum.doubtful += now.doubtful;
        if (now.doubtful == 0) break;
    }
    report(a, sum);
    return 0;
}

int stats(const Arguments& a) {
    const auto place = place_of(a);
    if (!place) return failed(place.error());
    cli::Rows rows(a.json, {"model", "spam", "ham", "features", "remembered", "bytes"});
    for (const auto& [name, directory] : {std::pair("shared", place->shared), std::pair("own", place->own)}) {
        if (directory.empty() || !os::exists(directory + "/spam.db")) continue;
        auto model = spam::Model::open(directory, place->learned_options());
        if (!model) return cli::fail(model.error());
        const auto found = model->stats();
        if (!found) return cli::fail(found.error());
        const auto number = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
        rows.add({std::string(name), number(found->learned.spam), number(found->learned.ham), number(found->features),
                  number(found->remembered), number(found->bytes)});
    }
    return 0;
}

int write_model(const Arguments& a) {
    auto opened = open(a);
    if (!opened) return failed(opened.error());
    const Status done = opened->model.export_to([](std::string_view line) {
        std::fwrite(line.data(), 1, line.size(), stdout);
        return std::fputc('\n', stdout) != EOF;
    });
    return done ? 0 : cli::fail(done.error());
}

int read_model(const Arguments& a) {
    auto opened = open(a);
    if (!opened) return failed(opened.error());
    const Status done = opened->model.import_from([](std::string& line) { return !!std::getline(std::cin, line); });
    return done ? 0 : cli::fail(done.error());
}

}  // namespace gk::spam_tool
