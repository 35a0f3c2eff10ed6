// SPDX-License-Identifier: MIT
#include "common/sieve_scripts/store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>

#include "common/os/file.hpp"
#include "common/sieve_scripts/cache.hpp"

namespace gk::sieve_scripts {
namespace {

struct SieveScripts : ::testing::Test {
    SieveScripts() {
        char name[] = "/tmp/gk-scripts-XXXXXX";
        home = ::mkdtemp(name);
    }
    ~SieveScripts() override { std::filesystem::remove_all(home); }
    Store store(const Limits& limits = {}) const { return {home, limits}; }
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        const auto listed = store().list();
        for (const auto& one : listed.value()) all.push_back((one.active ? "*" : "") + one.name);
        return all;
    }
    std::string home;
};

using Names = std::vector<std::string>;

TEST_F(SieveScripts, AnAccountWithoutScriptsHasNone) {
    EXPECT_EQ(names(), Names{});
    EXPECT_FALSE(store().active().value());
    EXPECT_FALSE(os::exists(home + "/sieve"));  // looking makes nothing
}

TEST_F(SieveScripts, WhatIsStoredCanBeReadAndReplaced) {
    EXPECT_EQ(store().put("work", "keep;\r\n").value(), Room::Enough);
    EXPECT_EQ(store().put("work", "discard;\r\n").value(), Room::Enough);
    EXPECT_EQ(store().get("work").value(), "discard;\r\n");
    EXPECT_EQ(names(), Names{"work"});
    EXPECT_EQ(store().get("play").error().code, Errc::NotFound);
}

TEST_F(SieveScripts, OneIsActiveByALinkThatIsReplaced) {
    ASSERT_TRUE(store().put("a", "keep;"));
    ASSERT_TRUE(store().put("b", "stop;"));
    ASSERT_TRUE(store().activate("a"));
    ASSERT_TRUE(store().activate("b"));
    EXPECT_EQ(names(), (Names{"a", "*b"}));
    EXPECT_EQ(store().active().value()->path, home + "/sieve/b.sieve");
    ASSERT_TRUE(store().activate(""));
    EXPECT_EQ(names(), (Names{"a", "b"}));
    ASSERT_TRUE(store().activate(""));  // twice is no error
    EXPECT_EQ(store().activate("c").error().code, Errc::NotFound);
}

TEST_F(SieveScripts, TheActiveOneIsNotRemovedAndKeepsItsPlaceWhenRenamed) {
    ASSERT_TRUE(store().put("a", "keep;"));
    ASSERT_TRUE(store().put("b", "stop;"));
    ASSERT_TRUE(store().activate("a"));
    EXPECT_EQ(store().remove("a").error().code, Errc::Denied);
    EXPECT_EQ(store().rename("a", "b").error().code, Errc::Exists);
    EXPECT_EQ(store().rename("x", "c").error().code, Errc::NotFound);
    ASSERT_TRUE(store().rename("a", "c"));
    EXPECT_EQ(names(), (Names{"b", "*c"}));
    ASSERT_TRUE(store().remove("b"));
    EXPECT_EQ(names(), Names{"*c"});
}

TEST_F(SieveScripts, NamesLeadOutOfNothing) {
    const Names tricky = {"..",      ".",      "../../etc/passwd", "a/b",  "/etc/passwd", "a%2Fb",
                          ".hidden", "active", "Spaß 📬",           "a\\b", "con"};
    for (const auto& name : tricky) {
        ASSERT_TRUE(store().put(name, name)) << name;
        EXPECT_EQ(file_of(name).find('/'), std::string::npos);
        EXPECT_EQ(store().get(name).value(), name);
    }
    EXPECT_EQ(store().list()->size(), tricky.size());
    const auto entries = os::list_directory(home);
    ASSERT_EQ(entries->size(), 1u);
    EXPECT_EQ(entries->front().name, "sieve");
    for (const std::string bad : {"", "a\nb", "a\x7f", "a\xc2\x85", "\xe2\x80\xa8", "\xff"})
        EXPECT_EQ(store().put(bad, "x").error().code, Errc::BadInput) << bad;
    EXPECT_EQ(store().put(std::string("a\0b", 3), "x").error().code, Errc::BadInput);
}

TEST_F(SieveScripts, ANameOf128CharactersOfFourOctetsIsTaken) {
    std::string name;
    for (int i = 0; i < 128; ++i) name += "📬";
    ASSERT_TRUE(store().put(name, "keep;"));
    ASSERT_TRUE(store().activate(name));
    EXPECT_EQ(names(), Names{"*" + name});
    ASSERT_TRUE(store().rename(name, "short"));
    ASSERT_TRUE(store().rename("short", name));
    EXPECT_EQ(names(), Names{"*" + name});
    EXPECT_EQ(store().put(name + "x", "keep;").error().code, Errc::BadInput);
    ASSERT_TRUE(store().activate(""));
    ASSERT_TRUE(store().remove(name));
    EXPECT_EQ(os::list_directory(home + "/sieve")->size(), 1u);  // the lock
}

TEST_F(SieveScripts, HaveAsManyAndAsMuchAsIsAllowed) {
    const Limits limits{.scripts = 2, .size = 10};
    EXPECT_EQ(store(limits).put("a", "12345678901").value(), Room::TooLarge);
    EXPECT_EQ(store(limits).put("a", "1234567890").value(), Room::Enough);
    EXPECT_EQ(store(limits).put("b", "").value(), Room::Enough);
    EXPECT_EQ(store(limits).put("c", "").value(), Room::TooMany);
    EXPECT_EQ(store(limits).room_for("c", 1).value(), Room::TooMany);
    EXPECT_EQ(store(limits).put("b", "again").value(), Room::Enough);
    EXPECT_EQ(names(), (Names{"a", "b"}));
}

TEST_F(SieveScripts, ALinkThatLeadsOutOfTheDirectoryIsNotFollowed) {
    ASSERT_TRUE(store().put("a", "keep;"));
    ASSERT_EQ(::symlink("../../other/sieve/a.sieve", (home + "/sieve/active").c_str()), 0);
    EXPECT_FALSE(store().active().value());
    ASSERT_TRUE(store().activate("a"));
    EXPECT_EQ(names(), Names{"*a"});
}

TEST_F(SieveScripts, ThatAreLinksOrPipesAreNotRead) {
    ASSERT_TRUE(store().put("a", "keep;"));
    ASSERT_TRUE(os::append_file(home + "/secret", "password", false));
    ASSERT_EQ(::symlink("../secret", (home + "/sieve/link.sieve").c_str()), 0);
    ASSERT_EQ(::mkfifo((home + "/sieve/pipe.sieve").c_str(), 0600), 0);
    Cache cache(10, {}, sieve::Extensions::all(), "");
    const Store mine = store();
    FileIncludes includes(mine, "");
    for (const std::string name : {"link", "pipe"}) {
        EXPECT_EQ(store().get(name).error().code, Errc::BadInput) << name;
        EXPECT_FALSE(includes.find(sieve::Includes::Place::Personal, name)) << name;
        EXPECT_NE(cache.get(store().path_of(name), name, store()).error.find("no regular file"), std::string::npos);
    }
    EXPECT_TRUE(cache.get(store().path_of("a"), "a", store()).script);
    // An administrator's may be links.
    ASSERT_EQ(::symlink("sieve/a.sieve", (home + "/10-a.sieve").c_str()), 0);
    EXPECT_TRUE(cache.get(home + "/10-a.sieve", "10-a", store()).script);
}

TEST_F(SieveScripts, AreKeptCompiledUpToABoundOfBytes) {
    const std::string text = "keep; #" + std::string(91, 'x') + "\r\n";  // 100
    for (const std::string name : {"a", "b", "c"}) ASSERT_TRUE(store().put(name, text));
    ASSERT_TRUE(store().put("huge", text + text + text));
    Cache cache(10, {}, sieve::Extensions::all(), "", 250);
    const auto compiled = [&](const std::string& name) {
        const auto before = cache.compiled();
        EXPECT_TRUE(cache.get(store().path_of(name), name, store()).script) << name;
        return cache.compiled() > before;
    };
    EXPECT_TRUE(compiled("a"));
    EXPECT_TRUE(compiled("b"));
    EXPECT_FALSE(compiled("a"));
    EXPECT_TRUE(compiled("c"));  // and b, used least lately, goes
    EXPECT_FALSE(compiled("a"));
    EXPECT_TRUE(compiled("b"));
    EXPECT_TRUE(compiled("huge"));
    EXPECT_TRUE(compiled("huge"));
}

TEST_F(SieveScripts, WhatAKilledWriterLeftIsNoScript) {
    ASSERT_TRUE(store().put("a", "keep;"));
    ASSERT_TRUE(os::append_file(home + "/sieve/a.sieve.0123.tmp", "ke", false));
    ASSERT_EQ(::symlink("a.sieve", (home + "/sieve/.active.0123").c_str()), 0);
    EXPECT_EQ(names(), Names{"a"});
    EXPECT_FALSE(store().active().value());
}

TEST_F(SieveScripts, AdministratorsScriptsComeInTheOrderOfTheirNames) {
    EXPECT_EQ(scripts_in("").value(), Names{});
    EXPECT_EQ(scripts_in(home + "/before").value(), Names{});
    for (const std::string name : {"20-b.sieve", "10-a.sieve", "notes.txt", ".x.sieve"})
        ASSERT_TRUE(os::append_file(home + "/" + name, "", false));
    EXPECT_EQ(scripts_in(home).value(), (Names{home + "/10-a.sieve", home + "/20-b.sieve"}));
}

}  // namespace
}  // namespace gk::sieve_scripts
