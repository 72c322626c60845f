// One app for every way of building an ASP.NET Core app: PROBE_BUILDER names it, PROBE_URL is given to UseUrls.
// Each answers every request with what it was told about it, one "name=value" line each.
using Microsoft.AspNetCore;

var builder = Environment.GetEnvironmentVariable("PROBE_BUILDER") ?? "web";
var url = Environment.GetEnvironmentVariable("PROBE_URL");

static Task Answer(HttpContext context)
{
    var request = context.Request;
    return context.Response.WriteAsync(
        $"base={request.PathBase}\npath={request.Path}\nscheme={request.Scheme}\n" +
        $"remote={context.Connection.RemoteIpAddress}\npid={Environment.ProcessId}\n" +
        $"token={request.Headers.ContainsKey("MS-ASPNETCORE-TOKEN")}\n");
}

switch (builder)
{
    case "web":
        Serve(WebApplication.CreateBuilder(args));
        break;
    case "slim":
        Serve(WebApplication.CreateSlimBuilder(args));
        break;
    case "host":
        Host.CreateDefaultBuilder(args).ConfigureWebHostDefaults(Configure).Build().Run();
        break;
    case "host-kestrel":
        Host.CreateDefaultBuilder(args).ConfigureWebHost(host => Configure(host.UseKestrel())).Build().Run();
        break;
    case "webhost":
        Configured(WebHost.CreateDefaultBuilder(args)).Build().Run();
        break;
    case "webhost-kestrel":
        Configured(new WebHostBuilder().UseKestrel()).Build().Run();
        break;
    case "startup-fails":
        Host.CreateDefaultBuilder(args)
            .ConfigureWebHostDefaults(host => host.Configure(_ => throw new InvalidOperationException("Configure fails")))
            .Build()
            .Run();
        break;
    default:
        Console.Error.WriteLine($"PROBE_BUILDER={builder} is not known");
        return 2;
}
return 0;

void Serve(WebApplicationBuilder builder)
{
    if (url is not null)
    {
        builder.WebHost.UseUrls(url);
    }
    var app = builder.Build();
    app.Run(Answer);
    app.Run();
}

void Configure(IWebHostBuilder host) => Configured(host);

IWebHostBuilder Configured(IWebHostBuilder host)
{
    if (url is not null)
    {
        host.UseUrls(url);
    }
    return host.Configure(app => app.Run(Answer));
}
