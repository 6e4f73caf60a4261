//! The cases, as data. A new one is one entry: a name, and the words typed
//! after `reset-user-password`. In words, environment and files `{URL}` is the
//! case's server, `{HOST}` its host and port, `{DIR}` the folder it runs in.

use super::server::{Answer, Kind};

/// One command line, and the world it meets.
pub(super) struct Case {
    pub name: &'static str,
    pub args: &'static [&'static str],
    /// Set in the environment.
    pub env: &'static [(&'static str, &'static str)],
    /// Taken out of it.
    pub without: &'static [&'static str],
    /// In the folder; `config` and `credentials` are the AWS config files.
    pub files: &'static [(&'static str, &'static str)],
    pub stdin: &'static str,
    pub server: Kind,
    /// Whether the password may have been changed although none is printed.
    pub in_doubt: bool,
    /// What we do instead, where that is on purpose.
    pub differs: Option<Ours>,
}

/// A difference that is documented in the README.
pub(super) struct Ours {
    pub why: &'static str,
    pub code: i32,
    /// How our message begins.
    pub message: &'static str,
    /// How our standard output begins.
    pub stdout: &'static str,
    /// How many requests we send, where that differs too.
    pub requests: Option<usize>,
}

pub(super) const fn case(name: &'static str, args: &'static [&'static str]) -> Case {
    Case {
        name,
        args,
        env: &[],
        without: &[],
        files: &[],
        stdin: "",
        server: Kind::Simulator(&[]),
        in_doubt: false,
        differs: None,
    }
}

/// A case against a server that says just this.
const fn says(name: &'static str, answers: &'static [Answer], args: &'static [&'static str]) -> Case {
    Case { server: Kind::Says(answers), ..case(name, args) }
}

/// A case without an endpoint: the proxy hears which host is asked for, and refuses.
const fn proxied(name: &'static str) -> Case {
    says(name, &[Answer::Http("403 Forbidden", "")], &["--user-id", "u"])
}

/// A case that ends in another message.
const fn told(why: &'static str, code: i32, message: &'static str) -> Ours {
    Ours { why, code, message, stdout: "", requests: None }
}

const WELL: Answer = Answer::Http("200 OK", r#"{"userId":"u","temporaryPassword":"Tmp-pass: \"1\" é"}"#);
const OK: &[Answer] = &[WELL];
const ODD: &[Answer] = &[Answer::Http("200 OK", r#"{"userId":"null","temporaryPassword":"12345"}"#)];
const THROTTLED: Answer = Answer::Typed("429 Too Many Requests", "ThrottlingException", r#"{"message":"Slow down"}"#);
const BROKEN: Answer = Answer::Typed("500 Internal Server Error", "InternalServerException", r#"{"message":"Oops"}"#);

const NAMED: &[&str] = &["--user-id", "u", "--endpoint-url", "{URL}"];
const ELSEWHERE: &[&str] = &["--user-id", "u", "--endpoint-url", "http://finspace.test:81/v1"];
const SIGNED: &str = "told before anything is sent, and which variable it is";
const WORDS: &str = "the JMESPath library words it in its own way";
const HELP: &str = "refused before the password is changed instead of after";

pub(super) static CASES: &[Case] = &[
    // Usage.
    case("no words at all", &[]),
    case("no user ID", &["--endpoint-url", "{URL}"]),
    case("an unknown option", &["--user-id", "u", "--nope", "x", "--endpoint-url", "{URL}"]),
    case("unknown words in their order", &["--user-id", "u", "--nope", "x", "y", "--zzz=1", "--endpoint-url", "{URL}"]),
    case("a word after two dashes", &["--user-id", "u", "--endpoint-url", "{URL}", "--", "x"]),
    case("an option without its value", &["--endpoint-url", "{URL}", "--user-id"]),
    case("an option in place of a value", &["--user-id", "--region", "us-east-1"]),
    case("a value for a switch", &["--user-id", "u", "--debug=x"]),
    case("an ambiguous prefix", &["--user-id", "u", "--cli", "x"]),
    case("an ambiguous prefix of its own", &["--user-id", "u", "--cli-i", "x"]),
    case("a bad output", &["--user-id", "u", "--output", "xml"]),
    case("a bad colour", &["--user-id", "u", "--color", "blue"]),
    case("a bad skeleton", &["--generate-cli-skeleton", "bad"]),
    case("a bad binary format", &["--user-id", "u", "--cli-binary-format", "hex"]),
    case("both prompts", &["--user-id", "u", "--cli-auto-prompt", "--no-cli-auto-prompt", "--endpoint-url", "{URL}"]),
    // How words are read.
    case("equals sign", &["--user-id=u", "--client-token=t", "--endpoint-url={URL}"]),
    case("the last duplicate wins", &["--user-id", "a", "--user-id", "b", "--endpoint-url", "{URL}"]),
    case("prefixes", &["--user", "u", "--client", "t", "--endpoint", "{URL}"]),
    case("a negative number", &["--user-id", "-5", "--endpoint-url", "{URL}"]),
    case("a dash and a space", &["--user-id", "-a b", "--endpoint-url", "{URL}"]),
    case(
        "what makes no sense is accepted",
        &[
            "--user-id",
            "u",
            "--endpoint-url",
            "{URL}",
            "--no-paginate",
            "--no-cli-pager",
            "--cli-binary-format",
            "base64",
            "--no-cli-auto-prompt",
        ],
    ),
    // Input from files, JSON and YAML.
    Case {
        files: &[("id", "from-a-file"), ("token", "a-token")],
        ..case(
            "options from files",
            &["--user-id", "file://id", "--client-token", "file://{DIR}/token", "--endpoint-url", "{URL}"],
        )
    },
    Case { files: &[("id", "u")], ..case("a home folder", &["--user-id", "file://~/id", "--endpoint-url", "{URL}"]) },
    Case {
        files: &[("id", "u")],
        env: &[("WHERE", "{DIR}")],
        ..case("a variable", &["--user-id", "file://$WHERE/id", "--endpoint-url", "{URL}"])
    },
    Case {
        files: &[("id", "u\n")],
        ..says("a file's last line end stays", OK, &["--user-id", "file://id", "--endpoint-url", "{URL}"])
    },
    Case {
        files: &[("id", "u")],
        ..case("bytes are no text", &["--user-id", "fileb://id", "--endpoint-url", "{URL}"])
    },
    case("a file that is not there", &["--user-id", "file:///nope", "--endpoint-url", "{URL}"]),
    case("a home file that is not there", &["--user-id", "file://~/nope", "--endpoint-url", "{URL}"]),
    case("a folder", &["--user-id", "file:///tmp", "--endpoint-url", "{URL}"]),
    case("JSON", &["--cli-input-json", r#"{"userId":"u","clientToken":"t"}"#, "--endpoint-url", "{URL}"]),
    case("YAML", &["--cli-input-yaml", "userId: u\nclientToken: t\n", "--endpoint-url", "{URL}"]),
    Case {
        files: &[("in.json", r#"{"userId":"u"}"#)],
        ..case("JSON from a file", &["--cli-input-json", "file://in.json", "--endpoint-url", "{URL}"])
    },
    Case {
        files: &[("in.yaml", "userId: 'u'  # him\n")],
        ..case("YAML from a file", &["--cli-input-yaml", "file://in.yaml", "--endpoint-url", "{URL}"])
    },
    Case {
        stdin: r#"{"userId":"u"}"#,
        differs: Some(Ours {
            why: "it reads standard input twice",
            code: 0,
            message: "",
            stdout: "{\n    \"userId\": \"u\"",
            requests: Some(2),
        }),
        ..case(
            "JSON from standard input by its name",
            &["--cli-input-json", "file:///dev/stdin", "--endpoint-url", "{URL}"],
        )
    },
    Case {
        stdin: r#"{"userId":"u"}"#,
        differs: Some(Ours {
            why: "- is standard input",
            code: 0,
            message: "",
            stdout: "{\n    \"userId\": \"u\"",
            requests: Some(2),
        }),
        ..case("JSON from standard input", &["--cli-input-json", "-", "--endpoint-url", "{URL}"])
    },
    case(
        "options beat JSON",
        &["--cli-input-json", r#"{"userId":"u","clientToken":"t"}"#, "--user-id", "v", "--endpoint-url", "{URL}"],
    ),
    case(
        "options beat a wrong type",
        &["--cli-input-json", r#"{"userId":1}"#, "--user-id", "v", "--endpoint-url", "{URL}"],
    ),
    case("both inputs", &["--cli-input-json", "{}", "--cli-input-yaml", "{}"]),
    case("bad JSON", &["--cli-input-json", "{"]),
    case("no JSON", &["--cli-input-json", ""]),
    case("bad YAML", &["--cli-input-yaml", "userId: [a"]),
    case("a key twice in YAML", &["--cli-input-yaml", "{userId: u, userId: v}"]),
    case("no YAML", &["--cli-input-yaml", ""]),
    case("a list", &["--cli-input-json", "[]"]),
    case("a JSON file that is not there", &["--cli-input-json", "file:///nope"]),
    // Parameters.
    case("nothing in JSON", &["--cli-input-json", "{}"]),
    case("an unknown key", &["--cli-input-json", r#"{"userId":"u","x":1}"#]),
    case("a number", &["--cli-input-json", r#"{"userId":1}"#]),
    case("wrong types", &["--cli-input-json", r#"{"userId":1.5,"x":[1,"a",null,true],"clientToken":{"a":"it's"}}"#]),
    case("null", &["--cli-input-json", r#"{"userId":null}"#]),
    case("a number in YAML", &["--cli-input-yaml", "userId: 0x1F"]),
    case("a date in YAML", &["--cli-input-yaml", "userId: 2001-01-01"]),
    case("a tagged list in YAML", &["--cli-input-yaml", "userId: !x [u]"]),
    case("a tagged map in YAML", &["--cli-input-yaml", "!!map {userId: u}", "--endpoint-url", "{URL}"]),
    case("a tagged text in YAML", &["--cli-input-yaml", "{userId: !!str 5}", "--endpoint-url", "{URL}"]),
    case("a folded text in YAML", &["--cli-input-yaml", "userId: >-\n  a\n  b\n", "--endpoint-url", "{URL}"]),
    case("an anchor in YAML", &["--cli-input-yaml", "{userId: &x u, clientToken: *x}", "--endpoint-url", "{URL}"]),
    case("a tab in YAML", &["--cli-input-yaml", "userId:\n\t- a"]),
    case("two documents in YAML", &["--cli-input-yaml", "userId: u\n---\nuserId: v\n"]),
    case("yes is a text in YAML", &["--cli-input-yaml", "userId: yes", "--endpoint-url", "{URL}"]),
    case("an empty user ID", &["--user-id", "", "--endpoint-url", "{URL}"]),
    case("an empty token", &["--user-id", "u", "--client-token", "", "--endpoint-url", "{URL}"]),
    case(
        "27 characters are the service's business",
        &["--user-id", "abcdefghijklmnopqrstuvwxyz0", "--endpoint-url", "{URL}"],
    ),
    // Skeletons send nothing.
    case("skeleton", &["--generate-cli-skeleton"]),
    case("skeleton input", &["--generate-cli-skeleton", "input", "--user-id", "u", "--output", "yaml"]),
    case("skeleton yaml-input", &["--generate-cli-skeleton", "yaml-input"]),
    case("skeleton output", &["--generate-cli-skeleton", "output", "--user-id", "u"]),
    case("skeleton output as text", &["--generate-cli-skeleton=output", "--user-id", "u", "--output", "text"]),
    case("skeleton output, queried", &["--generate-cli-skeleton", "output", "--user-id", "u", "--query", "userId"]),
    case("skeleton output without a user ID", &["--generate-cli-skeleton", "output"]),
    case("skeleton output of bad parameters", &["--generate-cli-skeleton", "output", "--user-id", ""]),
    Case {
        without: &["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        ..case("skeleton without region", &["--generate-cli-skeleton"])
    },
    Case {
        without: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        ..case("skeleton output without credentials", &["--generate-cli-skeleton", "output", "--user-id", "u"])
    },
    // Output.
    says("json", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "json"]),
    says("text", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "text"]),
    says("table", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "table"]),
    says("yaml", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "yaml"]),
    says("yaml-stream", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "yaml-stream"]),
    says(
        "yaml of texts that look like something else",
        ODD,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "yaml"],
    ),
    says(
        "yaml-stream of one text",
        ODD,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "yaml-stream", "--query", "userId"],
    ),
    says("json query", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "temporaryPassword"]),
    says(
        "text query",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "text", "--query", "temporaryPassword"],
    ),
    says(
        "table query",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "table", "--query", "temporaryPassword"],
    ),
    says(
        "yaml query",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "yaml", "--query", "temporaryPassword"],
    ),
    says(
        "yaml-stream query",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "yaml-stream", "--query", "temporaryPassword"],
    ),
    says("json of nothing", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "nope"]),
    says("text of nothing", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "nope", "--output", "text"]),
    says(
        "table of nothing",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "nope", "--output", "table"],
    ),
    says("yaml of nothing", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "nope", "--output", "yaml"]),
    says(
        "yaml-stream of nothing",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "nope", "--output", "yaml-stream"],
    ),
    says("json list", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "[userId,temporaryPassword]"]),
    says(
        "text list",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "[userId,temporaryPassword]", "--output", "text"],
    ),
    says(
        "table list",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "[userId,temporaryPassword]", "--output", "table"],
    ),
    says(
        "yaml list",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "[userId,temporaryPassword]", "--output", "yaml"],
    ),
    says(
        "json object",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "{b:userId,a:temporaryPassword}"],
    ),
    says(
        "text object",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "{b:userId,a:temporaryPassword}", "--output", "text"],
    ),
    says(
        "table object",
        OK,
        &[
            "--user-id",
            "u",
            "--endpoint-url",
            "{URL}",
            "--query",
            "{b:userId,a:temporaryPassword}",
            "--output",
            "table",
        ],
    ),
    says(
        "yaml-stream object",
        OK,
        &[
            "--user-id",
            "u",
            "--endpoint-url",
            "{URL}",
            "--query",
            "{b:userId,a:temporaryPassword}",
            "--output",
            "yaml-stream",
        ],
    ),
    says("json nested", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "{x:[@],y:{b:userId,a:userId}}"]),
    says(
        "text nested",
        OK,
        &[
            "--user-id",
            "u",
            "--endpoint-url",
            "{URL}",
            "--query",
            "{x:[@,@],y:userId,z:[`1`,`[2,3]`]}",
            "--output",
            "text",
        ],
    ),
    says(
        "table nested",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "{x:[@,@],y:userId}", "--output", "table"],
    ),
    says(
        "table of lists",
        OK,
        &[
            "--user-id",
            "u",
            "--endpoint-url",
            "{URL}",
            "--query",
            "[[userId,userId],[userId,temporaryPassword]]",
            "--output",
            "table",
        ],
    ),
    says(
        "a table too wide lies down",
        &[Answer::Http(
            "200 OK",
            r#"{"userId":"uuuuuuuuuuuuuuuuuuuuuuuuuu","temporaryPassword":"pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"}"#,
        )],
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "table"],
    ),
    says(
        "a table of wide characters",
        &[Answer::Http("200 OK", r#"{"userId":"日本語","temporaryPassword":"Ä√ß→"}"#)],
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "table"],
    ),
    says("table in colour", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "table", "--color", "on"]),
    says(
        "nested table in colour",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "table", "--color", "on", "--query", "{x:@}"],
    ),
    says("json star", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "*"]),
    says("json keys", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "keys(@)"]),
    says("json to_string", ODD, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "to_string(@)"]),
    says("json of an empty object", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "`{}`"]),
    says("text of true", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "`true`", "--output", "text"]),
    says(
        "a query that is queried for nothing",
        OK,
        &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "length(userId)"],
    ),
    Case {
        differs: Some(told(WORDS, 252, "Bad value for --query a[[: ")),
        ..case("a bad query", &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "a[["])
    },
    case("an empty query", &["--user-id", "u", "--endpoint-url", "{URL}", "--query", ""]),
    Case {
        differs: Some(Ours {
            why: HELP,
            code: 252,
            message: "Bad value for --query nope(@): ",
            stdout: "",
            requests: Some(1),
        }),
        ..case("an unknown function", &["--user-id", "u", "--endpoint-url", "{URL}", "--query", "nope(@)"])
    },
    Case {
        differs: Some(Ours {
            why: HELP,
            code: 255,
            message: "Row should have 1 elements, instead it has 2",
            stdout: "",
            requests: Some(0),
        }),
        ..says(
            "a table that can't be",
            OK,
            &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "table", "--query", "[`1`,`[2,3]`]"],
        )
    },
    case(
        "a query that works for this user alone",
        &["--user-id", "-5", "--endpoint-url", "{URL}", "--query", "abs(to_number(userId)) > `4`"],
    ),
    Case {
        in_doubt: true,
        differs: Some(Ours {
            why: "the JMESPath library words it in its own way, and the token to repeat is told",
            code: 255,
            message: "Bad value for --query avg(",
            stdout: "",
            requests: Some(1),
        }),
        ..says(
            "a query that fails on the password alone",
            ODD,
            &[
                "--user-id",
                "u",
                "--endpoint-url",
                "{URL}",
                "--query",
                "avg([length(temporaryPassword), temporaryPassword == '12345' && 'x' || `1`])",
            ],
        )
    },
    // Environment and config files.
    Case { without: &["AWS_REGION"], ..case("no region", &["--user-id", "u", "--endpoint-url", "{URL}"]) },
    Case {
        without: &["AWS_REGION"],
        env: &[("AWS_DEFAULT_REGION", "us-east-1")],
        ..case("the default region", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_DEFAULT_REGION", "eu-west-1")],
        ..case("AWS_REGION beats AWS_DEFAULT_REGION", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_REGION", "eu-west-1")],
        ..case("--region beats AWS_REGION", &["--user-id", "u", "--endpoint-url", "{URL}", "--region", "us-east-1"])
    },
    Case {
        without: &["AWS_REGION"],
        files: &[("config", "[default]\nregion = us-east-1\n")],
        ..case("the profile's region", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_REGION", "eu-west-1")],
        ..case("a region that signs for another", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        without: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        ..case("no credentials", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        without: &["AWS_SECRET_ACCESS_KEY"],
        ..case("half of a key", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        without: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        files: &[(
            "credentials",
            "[default]\naws_access_key_id = AKIASIMULATEDSUPERUSER\naws_secret_access_key = simulated/secret/of/the/superuser/000000\n",
        )],
        ..case("credentials of the default profile", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_ACCESS_KEY_ID", "AKIAWRONG")],
        files: &[(
            "credentials",
            "[good]\naws_access_key_id = AKIASIMULATEDSUPERUSER\naws_secret_access_key = simulated/secret/of/the/superuser/000000\n",
        )],
        ..case(
            "--profile beats the keys of the environment",
            &["--user-id", "u", "--endpoint-url", "{URL}", "--profile", "good"],
        )
    },
    Case {
        env: &[("AWS_PROFILE", "bad")],
        files: &[("credentials", "[bad]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = x\n")],
        ..case("the keys of the environment beat AWS_PROFILE", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_ACCESS_KEY_ID", "AKIAWRONG")],
        ..case("unknown credentials", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    case("no such profile", &["--user-id", "u", "--endpoint-url", "{URL}", "--profile", "nope"]),
    Case {
        env: &[("AWS_PROFILE", "nope")],
        ..case("no such profile in the environment", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        files: &[("config", "[default\nregion")],
        differs: Some(told("the line is told", 255, "Unable to parse config file: ")),
        ..case("a broken config file", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_DEFAULT_OUTPUT", "text")],
        ..says("the default output", OK, &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_DEFAULT_OUTPUT", "text")],
        ..says("--output beats the default", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--output", "yaml"])
    },
    Case {
        files: &[("config", "[default]\noutput = yaml\n[profile tabs]\noutput = text\n")],
        ..says("the profile's output", OK, &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_PROFILE", "tabs")],
        files: &[("config", "[default]\noutput = yaml\n[profile tabs]\noutput = text\n")],
        ..says("AWS_PROFILE chooses", OK, &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_DEFAULT_OUTPUT", "bad")],
        differs: Some(Ours {
            why: HELP,
            code: 255,
            message: "Unknown output type: bad",
            stdout: "",
            requests: Some(0),
        }),
        ..says("an unknown default output", OK, &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        files: &[("config", "[default]\ncli_timestamp_format = bad\n")],
        ..case("an unknown timestamp format", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        files: &[("config", "[default]\ncli_timestamp_format = iso8601\n")],
        ..says("a timestamp format", OK, &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_RETRY_MODE", "x")],
        ..case("an unknown retry mode", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case { env: &[("AWS_MAX_ATTEMPTS", "0")], ..case("no attempts", &["--user-id", "u", "--endpoint-url", "{URL}"]) },
    Case {
        env: &[("AWS_MAX_ATTEMPTS", "many")],
        ..case("many attempts", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        files: &[("config", "[default]\nretry_mode = adaptive\nmax_attempts = 2\n")],
        in_doubt: true,
        ..says("the profile's attempts", &[BROKEN], &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        files: &[("config", "[default]\nmax_attempts = 3\n")],
        env: &[("AWS_MAX_ATTEMPTS", "1")],
        in_doubt: true,
        ..says("the environment's attempts", &[BROKEN], &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        env: &[("AWS_ENDPOINT_URL", "{URL}")],
        differs: Some(Ours {
            why: "2.9.19 is older than AWS_ENDPOINT_URL",
            code: 0,
            message: "",
            stdout: "{",
            requests: Some(1),
        }),
        ..says("AWS_ENDPOINT_URL", OK, &["--user-id", "u"])
    },
    Case {
        env: &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ENDPOINT_URL_FINSPACE_DATA", "{URL}")],
        differs: Some(Ours {
            why: "2.9.19 is older than AWS_ENDPOINT_URL",
            code: 0,
            message: "",
            stdout: "{",
            requests: Some(1),
        }),
        ..says("AWS_ENDPOINT_URL_FINSPACE_DATA", OK, &["--user-id", "u"])
    },
    Case {
        files: &[("config", "[default]\nendpoint_url = {URL}\n")],
        differs: Some(Ours {
            why: "2.9.19 is older than endpoint_url",
            code: 0,
            message: "",
            stdout: "{",
            requests: Some(1),
        }),
        ..says("the profile's endpoint", OK, &["--user-id", "u"])
    },
    // Regions.
    Case { env: &[("AWS_REGION", "us-east-1 ")], ..case("a region with a blank", NAMED) },
    Case { env: &[("AWS_REGION", "a.b")], ..case("a region with a dot", NAMED) },
    Case { env: &[("AWS_REGION", "123")], ..case("a region of digits", NAMED) },
    Case { env: &[("AWS_REGION", "-x")], ..case("a region that begins with a hyphen", NAMED) },
    case("a region of the flag", &["--user-id", "u", "--endpoint-url", "{URL}", "--region", "us_east_1"]),
    Case {
        env: &[("AWS_REGION", "us-east-1\n")],
        differs: Some(told("the region is told", 255, "Provided region_name 'us-east-1\n'")),
        ..case("a region with a line end", NAMED)
    },
    Case { env: &[("AWS_REGION", "fips-us-east-1")], ..case("a pseudo-region signs for its region", NAMED) },
    Case { env: &[("AWS_REGION", "us-east-1-fips")], ..proxied("a pseudo-region is FIPS") },
    Case { env: &[("AWS_REGION", "aws-global")], ..proxied("a global region") },
    Case { env: &[("AWS_REGION", "nowhere")], ..proxied("a region nobody knows") },
    Case { env: &[("AWS_REGION", "cn-north-1")], ..proxied("a region in China") },
    Case { env: &[("AWS_REGION", "cn-north")], ..proxied("no region in China") },
    Case { env: &[("AWS_REGION", "us-gov-west-1")], ..proxied("a region of the government") },
    Case { env: &[("AWS_REGION", "us-iso-east-1")], ..proxied("an isolated region") },
    Case { env: &[("AWS_REGION", "us-isob-east-1")], ..proxied("a more isolated region") },
    // FIPS and dual stack.
    Case { env: &[("AWS_USE_FIPS_ENDPOINT", "true")], ..proxied("FIPS") },
    Case { env: &[("AWS_USE_FIPS_ENDPOINT", "TRUE")], ..proxied("FIPS in capitals") },
    Case { env: &[("AWS_USE_FIPS_ENDPOINT", "1")], ..proxied("1 is not true") },
    Case { env: &[("AWS_USE_DUALSTACK_ENDPOINT", "true")], ..proxied("dual stack") },
    Case {
        env: &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
        ..proxied("FIPS and dual stack")
    },
    Case { files: &[("config", "[default]\nuse_fips_endpoint = true\n")], ..proxied("the profile's FIPS") },
    Case { files: &[("config", "[default]\nuse_dualstack_endpoint = True\n")], ..proxied("the profile's dual stack") },
    Case {
        files: &[("config", "[default]\nuse_fips_endpoint = true\n")],
        env: &[("AWS_USE_FIPS_ENDPOINT", "false")],
        ..proxied("the environment's FIPS beats the profile's")
    },
    Case {
        files: &[("config", "[default]\nuse_fips_endpoint = true\n")],
        env: &[("AWS_USE_FIPS_ENDPOINT", "")],
        ..proxied("so does an empty one")
    },
    Case {
        env: &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
        ..case("a named endpoint beats FIPS and dual stack", NAMED)
    },
    Case {
        env: &[("AWS_REGION", "us-iso-east-1"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
        ..proxied("no dual stack in an isolated region")
    },
    Case {
        env: &[
            ("AWS_REGION", "us-iso-east-1"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
        ],
        ..proxied("nor with FIPS")
    },
    // Proxies.
    Case { env: &[("HTTP_PROXY", "{URL}")], ..says("a proxy", OK, ELSEWHERE) },
    Case { env: &[("http_proxy", "{HOST}")], ..says("a proxy in lower case, without a scheme", OK, ELSEWHERE) },
    Case { env: &[("Http_Proxy", "{URL}")], ..says("a proxy in mixed case", OK, ELSEWHERE) },
    Case {
        env: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "{URL}")],
        ..says("the lower case wins", OK, ELSEWHERE)
    },
    Case {
        env: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "")],
        ..case("an empty one in lower case is none", NAMED)
    },
    Case {
        env: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("REQUEST_METHOD", "GET")],
        ..case("a proxy in a CGI script is none", NAMED)
    },
    Case { env: &[("ALL_PROXY", "http://127.0.0.1:1")], ..case("a proxy for all is none", NAMED) },
    Case { env: &[("HTTPS_PROXY", "http://127.0.0.1:1")], ..case("a proxy of the other scheme is none", NAMED) },
    Case {
        env: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "10.0.0.1, 127.0.0.1")],
        ..case("no proxy for a host", NAMED)
    },
    Case { env: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("no_proxy", "{HOST}")], ..case("no proxy for a port", NAMED) },
    Case {
        env: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", ".0.0.1")],
        ..case("no proxy for a domain", NAMED)
    },
    Case { env: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "*")], ..case("no proxy at all", NAMED) },
    Case {
        env: &[("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "127.0.0.0/8"), ("AWS_MAX_ATTEMPTS", "1")],
        ..case("no proxy for a network is not heeded", NAMED)
    },
    Case {
        env: &[("HTTP_PROXY", "http://us:pw@127.0.0.1:1"), ("AWS_MAX_ATTEMPTS", "1")],
        ..case("a proxy that is not there", NAMED)
    },
    Case {
        env: &[("HTTPS_PROXY", "http://us:pw@127.0.0.1:1"), ("AWS_MAX_ATTEMPTS", "1")],
        ..case("a proxy that is not there, for HTTPS", &["--user-id", "u"])
    },
    Case {
        env: &[("HTTP_PROXY", "socks5://127.0.0.1:1"), ("AWS_MAX_ATTEMPTS", "1")],
        differs: Some(told("another kind of proxy is told at once", 255, "the proxy \"http://socks5://127.0.0.1:1\"")),
        ..case("a proxy of another kind", NAMED)
    },
    // What can't be signed with.
    Case {
        env: &[("AWS_ACCESS_KEY_ID", "AKIA\n"), ("AWS_MAX_ATTEMPTS", "1")],
        differs: Some(told(SIGNED, 255, "the AWS_ACCESS_KEY_ID holds the character U+000A")),
        ..case("a key with a line end", NAMED)
    },
    Case {
        env: &[("AWS_SESSION_TOKEN", "t\r"), ("AWS_MAX_ATTEMPTS", "1")],
        differs: Some(told(SIGNED, 255, "the AWS_SESSION_TOKEN holds the character U+000D")),
        ..case("a token with a line end", NAMED)
    },
    Case {
        env: &[("AWS_SECRET_ACCESS_KEY", "s\n")],
        differs: Some(Ours {
            requests: Some(1),
            ..told(SIGNED, 255, "the AWS_SECRET_ACCESS_KEY holds the character U+000A")
        }),
        ..case("a secret with a line end", NAMED)
    },
    Case { env: &[("AWS_DEFAULT_PROFILE", "nope")], ..case("no such default profile", NAMED) },
    Case {
        without: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        files: &[("config", "[default]\naws_access_key_id = AK\n")],
        differs: Some(told("the SDK words it in its own way", 255, "the AWS credentials can't be loaded: ")),
        ..case("half of a key in a file", NAMED)
    },
    Case {
        files: &[(
            "config",
            "[default]\nservices = s\nendpoint_url = http://127.0.0.1:1\n[services s]\nfinspace_data =\n  endpoint_url = {URL}\n",
        )],
        differs: Some(Ours {
            why: "2.9.19 is older than [services]",
            code: 0,
            message: "",
            stdout: "{",
            requests: Some(1),
        }),
        ..says("an endpoint of the services section", OK, &["--user-id", "u"])
    },
    // The endpoint, TLS, signatures, time-outs.
    case("an endpoint without a scheme, but with a port", &["--user-id", "u", "--endpoint-url", "127.0.0.1:80"]),
    case("a host and a port alone", &["--user-id", "u", "--endpoint-url", "localhost:80"]),
    case("no endpoint at all", &["--user-id", "u", "--endpoint-url", ""]),
    case("an endpoint without a host", &["--user-id", "u", "--endpoint-url", "http://"]),
    case("an endpoint with a blank", &["--user-id", "u", "--endpoint-url", "http://a b"]),
    case("an endpoint with one slash", &["--user-id", "u", "--endpoint-url", "http:/127.0.0.1"]),
    says("a slash at the end", OK, &["--user-id", "u", "--endpoint-url", "{URL}/v1/"]),
    Case {
        differs: Some(Ours {
            why: "slashes at the end are one place",
            code: 0,
            message: "",
            stdout: "{",
            requests: Some(1),
        }),
        ..says("slashes at the end", OK, &["--user-id", "u", "--endpoint-url", "{URL}//"])
    },
    Case {
        differs: Some(Ours {
            why: "a password that no request would carry is refused",
            code: 255,
            message: "Invalid endpoint: http://***:***@127.0.0.1",
            stdout: "",
            requests: Some(0),
        }),
        ..says("a password in the endpoint", OK, &["--user-id", "u", "--endpoint-url", "http://u:p@{HOST}"])
    },
    case("an endpoint without scheme", &["--user-id", "u", "--endpoint-url", "foo"]),
    Case {
        differs: Some(told("another scheme is told at once", 252, "Bad value for --endpoint-url \"foo://bar\"")),
        ..case("an endpoint of another scheme", &["--user-id", "u", "--endpoint-url", "foo://bar"])
    },
    Case { server: Kind::Closed, ..case("connection refused", &["--user-id", "a b", "--endpoint-url", "{URL}"]) },
    Case {
        server: Kind::SaysOverTls(OK),
        ..case("a private authority", &["--user-id", "u", "--endpoint-url", "{URL}", "--ca-bundle", "ca.pem"])
    },
    Case {
        server: Kind::SaysOverTls(OK),
        env: &[("AWS_CA_BUNDLE", "{DIR}/ca.pem")],
        ..case("a private authority in the environment", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        server: Kind::SaysOverTls(OK),
        files: &[("config", "[default]\nca_bundle = {DIR}/ca.pem\n")],
        ..case("a private authority in the profile", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    Case {
        server: Kind::SaysOverTls(OK),
        ..case("no verification", &["--user-id", "u", "--endpoint-url", "{URL}", "--no-verify-ssl"])
    },
    Case {
        server: Kind::SaysOverTls(OK),
        differs: Some(told(
            "the TLS library words it in its own way",
            255,
            "SSL validation failed for {URL}/user/u/password ",
        )),
        env: &[("AWS_MAX_ATTEMPTS", "1")],
        ..case("an authority nobody knows", &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    says("unsigned", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--no-sign-request"]),
    Case {
        without: &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        ..says("unsigned without credentials", OK, &["--user-id", "u", "--endpoint-url", "{URL}", "--no-sign-request"])
    },
    case("unsigned, and the service minds", &["--user-id", "u", "--endpoint-url", "{URL}", "--no-sign-request"]),
    case("a read timeout that is none", &["--user-id", "u", "--endpoint-url", "{URL}", "--cli-read-timeout", "x"]),
    case("a negative read timeout", &["--user-id", "u", "--endpoint-url", "{URL}", "--cli-read-timeout", "-1"]),
    case("a negative connect timeout", &["--user-id", "u", "--endpoint-url", "{URL}", "--cli-connect-timeout", "-1"]),
    case(
        "no timeout",
        &["--user-id", "u", "--endpoint-url", "{URL}", "--cli-read-timeout", "0", "--cli-connect-timeout", "0"],
    ),
    Case {
        env: &[("AWS_MAX_ATTEMPTS", "1")],
        in_doubt: true,
        ..says(
            "a read timeout",
            &[Answer::Silence],
            &["--user-id", "u", "--client-token", "t", "--endpoint-url", "{URL}", "--cli-read-timeout", "1"],
        )
    },
    Case {
        env: &[("AWS_MAX_ATTEMPTS", "1")],
        server: Kind::Full,
        ..case("a connect timeout", &["--user-id", "u", "--endpoint-url", "{URL}", "--cli-connect-timeout", "1"])
    },
    Case {
        env: &[("AWS_MAX_ATTEMPTS", "1")],
        in_doubt: true,
        ..says("a connection that is closed", &[Answer::Nothing], &["--user-id", "u", "--endpoint-url", "{URL}"])
    },
    // What the service says.
    case("no such user", &["--user-id", "missing-1", "--endpoint-url", "{URL}"]),
    says(
        "access denied",
        &[Answer::Typed("403 Forbidden", "AccessDeniedException", r#"{"message":"Not you, \"friend\""}"#)],
        &["--user-id", "u", "--endpoint-url", "{URL}"],
    ),
    says(
        "a code in the body",
        &[Answer::Http("409 Conflict", r#"{"__type":"x#ConflictException","message":"Busy"}"#)],
        &["--user-id", "u", "--endpoint-url", "{URL}"],
    ),
    Case {
        in_doubt: true,
        differs: Some(told(
            "a refusal without the API's code may come from a proxy, behind which the password was changed",
            254,
            "An error occurred (404) when calling the ResetUserPassword operation:",
        )),
        ..says(
            "an error without a word",
            &[Answer::Http("404 Not Found", "")],
            &["--user-id", "u", "--endpoint-url", "{URL}"],
        )
    },
    Case {
        env: &[("AWS_MAX_ATTEMPTS", "1")],
        ..says(
            "attempts used up by an error for good",
            &[Answer::Typed("404 Not Found", "ResourceNotFoundException", "{}")],
            &["--user-id", "u", "--endpoint-url", "{URL}"],
        )
    },
    says("429, then well", &[THROTTLED, WELL], &["--user-id", "u", "--endpoint-url", "{URL}"]),
    says("500, then well", &[BROKEN, WELL], &["--user-id", "u", "--endpoint-url", "{URL}"]),
    says(
        "502, then well",
        &[Answer::Http("502 Bad Gateway", "<html>"), WELL],
        &["--user-id", "u", "--endpoint-url", "{URL}"],
    ),
    says("closed, then well", &[Answer::Nothing, WELL], &["--user-id", "u", "--endpoint-url", "{URL}"]),
    says("429 for ever", &[THROTTLED], &["--user-id", "u", "--endpoint-url", "{URL}"]),
    Case { in_doubt: true, ..says("500 for ever", &[BROKEN], &["--user-id", "u", "--endpoint-url", "{URL}"]) },
    Case {
        in_doubt: true,
        ..says(
            "503 without a word",
            &[Answer::Http("503 Service Unavailable", "")],
            &["--user-id", "u", "--endpoint-url", "{URL}"],
        )
    },
    Case {
        in_doubt: true,
        differs: Some(Ours {
            why: "a 200 that can't be read is no success",
            code: 255,
            message: "Unable to parse response from ResetUserPassword",
            stdout: "",
            requests: Some(3),
        }),
        ..says(
            "an answer that can't be read",
            &[Answer::Http("200 OK", "<html>")],
            &["--user-id", "u", "--endpoint-url", "{URL}"],
        )
    },
    Case {
        in_doubt: true,
        differs: Some(Ours {
            why: "a 200 without a password is no success",
            code: 255,
            message: "Unable to parse response from ResetUserPassword",
            stdout: "",
            requests: Some(3),
        }),
        ..says(
            "an answer without a password",
            &[Answer::Http("200 OK", r#"{"userId":"u"}"#)],
            &["--user-id", "u", "--endpoint-url", "{URL}"],
        )
    },
    // User IDs that need care in a path.
    says("a slash", OK, &["--user-id", "a/b", "--endpoint-url", "{URL}", "--client-token", "t", "--query", "userId"]),
    case("a slash, signed", &["--user-id", "a/b", "--endpoint-url", "{URL}"]),
    case("spaces", &["--user-id", " a b ", "--endpoint-url", "{URL}"]),
    case("a per cent sign", &["--user-id", "100%25", "--endpoint-url", "{URL}"]),
    case("a plus sign", &["--user-id", "a+b", "--endpoint-url", "{URL}"]),
    case("non-ASCII", &["--user-id", "José-日本", "--endpoint-url", "{URL}"]),
    case("everything else", &["--user-id", "~!*'();:@&=$,?#[]", "--endpoint-url", "{URL}"]),
    says("dots", OK, &["--user-id", "..", "--endpoint-url", "{URL}"]),
];
