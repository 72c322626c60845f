//! Names of the variables that pair an app with its server (ASP.NET Core Module, `environmentvariables`).

/// The port that the app listens on, in decimal. `Microsoft.AspNetCore.Server.IISIntegration` pairs only
/// when this, [`TOKEN`] and [`APPL_PATH`] are all non-empty.
pub const PORT: &str = "ASPNETCORE_PORT";
/// The pairing token that every request must carry as `MS-ASPNETCORE-TOKEN`.
pub const TOKEN: &str = "ASPNETCORE_TOKEN";
/// The path base, percent-decoded and starting with `/`.
pub const APPL_PATH: &str = "ASPNETCORE_APPL_PATH";
/// Authentication schemes that the server offers, each followed by `;`.
pub const IIS_HTTPAUTH: &str = "ASPNETCORE_IIS_HTTPAUTH";
/// `true` or `false`; must be set on Linux, where its absence means "kernel newer than 6.2".
pub const IIS_WEBSOCKETS_SUPPORTED: &str = "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED";
/// The app's folder, absolute.
pub const IIS_PHYSICAL_PATH: &str = "ASPNETCORE_IIS_PHYSICAL_PATH";
/// The port of the one https binding; left out when there is none or more than one.
pub const ANCM_HTTPS_PORT: &str = "ASPNETCORE_ANCM_HTTPS_PORT";
/// Assemblies that run before the app's own start-up, separated by `;`.
pub const HOSTINGSTARTUPASSEMBLIES: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";
/// The assembly that pairs an app; appended to [`HOSTINGSTARTUPASSEMBLIES`].
pub const IIS_INTEGRATION_ASSEMBLY: &str = "Microsoft.AspNetCore.Server.IISIntegration";
/// Addresses for apps that do not pair (slim and AOT builders).
pub const URLS: &str = "ASPNETCORE_URLS";
/// Makes apps that do not pair take client address and scheme from our headers.
pub const FORWARDEDHEADERS_ENABLED: &str = "ASPNETCORE_FORWARDEDHEADERS_ENABLED";
/// Seconds that the app's own graceful stop may take.
pub const SHUTDOWNTIMEOUTSECONDS: &str = "ASPNETCORE_SHUTDOWNTIMEOUTSECONDS";
/// The port, for programs written for HttpPlatformHandler.
pub const HTTP_PLATFORM_PORT: &str = "HTTP_PLATFORM_PORT";
/// The port once more, for programs of the same kind: Node, Python and others look for it under this name.
pub const PLAIN_PORT: &str = "PORT";
/// Where `dotnet` lives; framework-dependent executables need it.
pub const DOTNET_ROOT: &str = "DOTNET_ROOT";
