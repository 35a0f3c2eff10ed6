// SPDX-License-Identifier: MIT
#include "common/config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>

#include "common/config/document.hpp"

namespace gk::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string complaint(std::string_view toml) {
    const auto config = Config::parse(toml);
    return config ? "accepted" : config.error().text;
}

TEST(Settings, AreSortedAndWhole) {
    const auto& all = settings();
    for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LT(all[i - 1].key, all[i].key);
    for (const Setting& setting : all) {
        EXPECT_TRUE(setting.help.ends_with('.')) << setting.key;
        EXPECT_NE(setting.key.find('.'), std::string::npos) << setting.key;
        EXPECT_EQ(find_setting(setting.key), &setting) << setting.key;
    }
    EXPECT_EQ(find_setting("smtp"), nullptr);
}

TEST(Config, HasEveryDefault) {
    const auto config = Config::parse("").value();
    for (const Setting& setting : settings()) EXPECT_EQ(config.origin(setting.key), "default");
    EXPECT_GT(config.size("smtp.max_size"), 1024u);
    EXPECT_FALSE(config.boolean("auth.plaintext_without_tls"));
}

TEST(Config, ReadsEveryType) {
    const auto config = Config::parse(
                            "[smtp]\nmax_size = \"20MB\"\n[auth]\nlockout_time = \"1h30m\"\nlockout_failures = 3\n"
                            "plaintext_without_tls = true\n[server]\nhostname = 'mx.a.test'\n"
                            "trusted_networks = [\"10.0.0.0/8\",\n \"::1\"]\n")
                            .value();
    EXPECT_EQ(config.size("smtp.max_size"), 20u << 20);
    EXPECT_EQ(config.duration_s("auth.lockout_time"), 5400);
    EXPECT_EQ(config.integer("auth.lockout_failures"), 3);
    EXPECT_TRUE(config.boolean("auth.plaintext_without_tls"));
    EXPECT_EQ(config.string("server.hostname"), "mx.a.test");
    EXPECT_THAT(config.strings("server.trusted_networks"), ElementsAre("10.0.0.0/8", "::1"));
    EXPECT_EQ(config.origin("smtp.max_size"), "gk.toml:2");
    EXPECT_EQ(config.written("server.trusted_networks"), "[\"10.0.0.0/8\", \"::1\"]");
}

TEST(Config, NamesFileLineAndNearestSpellingOfAnUnknownKey) {
    EXPECT_EQ(complaint("[smtp]\nmax_sise = \"1MB\"\n"),
              "gk.toml:2: unknown setting 'smtp.max_sise'; did you mean 'smtp.max_size'?");
    EXPECT_EQ(complaint("\n[smpt]\n"), "gk.toml:2: unknown section 'smpt'; did you mean 'smtp'?");
    EXPECT_EQ(complaint("[smtp.deep]\nx = 1\n"), "gk.toml:1: unknown section 'smtp.deep'");
}

TEST(Config, RefusesWrongTypes) {
    EXPECT_EQ(complaint("[smtp]\nmax_size = \"big\"\n"), "gk.toml:2: 'smtp.max_size' must be a size, such as \"50MB\"");
    EXPECT_EQ(complaint("smtp = 1\n"), "gk.toml:1: unknown setting 'smtp'");
    EXPECT_THAT(complaint("[smtp.max_size]\nx = 1\n"), HasSubstr("must be a size"));
    EXPECT_THAT(complaint("[auth]\nlockout_failures = \"3\"\n"), HasSubstr("must be a whole number"));
    EXPECT_THAT(complaint("[auth]\nlockout_failures = 1.5\n"), HasSubstr("must be a whole number, not a fraction"));
    EXPECT_THAT(complaint("[server]\ntrusted_networks = [1]\n"), HasSubstr("must be a list of strings"));
    EXPECT_THAT(complaint("[server]\nhostname = \"a\\nb\"\n"), HasSubstr("one line"));
}

TEST(Config, RefusesValuesOutOfBounds) {
    EXPECT_EQ(complaint("[auth]\nscram_iterations = 1\n"), "gk.toml:2: 'auth.scram_iterations' must be at least 4096");
    EXPECT_THAT(complaint("[auth]\nlockout_time = \"2d\"\n"), HasSubstr("must be at most 1d"));
    EXPECT_EQ(complaint("[auth]\nmain = \"argon2i\"\n"),
              "gk.toml:2: 'auth.main' must be one of argon2id, scram-sha-256; did you mean 'argon2id'?");
}

TEST(Config, NamesTheLineOfASyntaxError) {
    EXPECT_THAT(complaint("[smtp]\n\nmax_size = \n"), HasSubstr("gk.toml:3: "));
}

TEST(Config, LetsLaterDropInsWin) {
    std::string name = testing::TempDir() + "gk-config-XXXXXX";
    const std::string root = ::mkdtemp(name.data());
    const Paths paths = Paths::under(root);
    EXPECT_THAT(Config::load(paths).error().text, HasSubstr("gk-config init"));
    std::filesystem::create_directories(paths.toml_dir);
    const auto write = [](const std::string& path, const std::string& text) { std::ofstream(path) << text; };
    write(paths.toml, "[smtp]\nmax_size = \"1MB\"\n");
    write(paths.toml_dir + "/20-b.toml", "[smtp]\nmax_size = \"3MB\"\n");
    write(paths.toml_dir + "/10-a.toml", "[smtp]\nmax_size = \"2MB\"\n");
    write(paths.toml_dir + "/30-c.toml~", "nonsense");
    const auto config = Config::load(paths).value();
    EXPECT_EQ(config.size("smtp.max_size"), 3u << 20);
    EXPECT_EQ(config.origin("smtp.max_size"), "gk.toml.d/20-b.toml:2");
    write(paths.toml_dir + "/40-d.toml", "\nx.y = 1\n");
    EXPECT_THAT(Config::load(paths).error().text, HasSubstr("40-d.toml:2: unknown"));
    std::filesystem::remove_all(root);
}

TEST(WithSetting, ReplacesInPlaceAndKeepsTheRest) {
    EXPECT_EQ(with_setting("# top\n[smtp]\nmax_size = \"1MB\"  # ours\n", "smtp.max_size", "2MB").value(),
              "# top\n[smtp]\nmax_size = \"2MB\"  # ours\n");
    EXPECT_EQ(with_setting("[smtp] # s\n", "smtp.max_size", "2MB").value(), "[smtp] # s\nmax_size = \"2MB\"\n");
    EXPECT_EQ(with_setting("", "server.hostname", "a\"b").value(), "[server]\nhostname = \"a\\\"b\"\n");
    EXPECT_EQ(with_setting("[smtp]\n", "server.trusted_networks", "10.0.0.0/8, ::1").value(),
              "[smtp]\n\n[server]\ntrusted_networks = [\"10.0.0.0/8\", \"::1\"]\n");
    EXPECT_EQ(with_setting("", "smtp.max_size", "x").error().code, Errc::Config);
    EXPECT_THAT(with_setting("", "smtp.max_sise", "1").error().text, HasSubstr("did you mean 'smtp.max_size'"));
}

TEST(Paths, AreBelowTheRootOrWhereTheSystemHasThem) {
    EXPECT_EQ(Paths::under("/x/").auth_db, "/x/auth.db");
    EXPECT_EQ(Paths::under("/x").log, "/x/log");
    EXPECT_EQ(Paths::under("").toml, "/etc/gk/gk.toml");
    EXPECT_EQ(Paths::under("").log, "");
}

}  // namespace
}  // namespace gk::config
