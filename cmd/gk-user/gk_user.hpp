// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "common/accounts/accounts.hpp"

namespace gk::user_tool {

struct Arguments {
    std::string root;
    bool json = false, yes = false, dry_run = false;
    std::string account, domain;
    std::vector<std::string> accounts;
    // add, change
    std::string name, quota, quota_messages, admin;
    // passwords
    std::string password_file;
    bool no_password = false, hash = false;
    // remove, apply
    bool delete_mail = false, prune = false, reset_passwords = false;
    std::string file = "-";
    // app passwords
    std::string label, scope = "all", expires;
};

Result<accounts::Accounts> open(const Arguments& arguments);

int add(const Arguments& arguments);
int list(const Arguments& arguments);
int show(const Arguments& arguments);
int change(const Arguments& arguments);
int passwd(const Arguments& arguments);
int set_disabled(const Arguments& arguments, bool disabled);
int remove(const Arguments& arguments);

int export_accounts(const Arguments& arguments);
int apply(const Arguments& arguments);

int add_app_password(const Arguments& arguments);
int list_app_passwords(const Arguments& arguments);
int remove_app_password(const Arguments& arguments);

}  // namespace gk::user_tool
