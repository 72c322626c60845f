// Does with bodies and answers what Microsoft's own test site does, each at a path of its own. Limits are Kestrel's.
using System.IO.Compression;
using Microsoft.AspNetCore.Http.Features;

var builder = WebApplication.CreateBuilder(args);
builder.Logging.ClearProviders();
// For what reads and writes synchronously.
builder.WebHost.ConfigureKestrel(kestrel => kestrel.AllowSynchronousIO = true);
builder.Services.AddResponseCompression(compression => compression.EnableForHttps = true);

var app = builder.Build();
app.UseWhen(context => context.Request.Path == "/lines", branch => branch.UseResponseCompression());

// What is not below: how its path was understood.
app.Use((context, next) => context.GetEndpoint() is not null ? next(context) : context.Response.WriteAsJsonAsync(new
{
    pathBase = context.Request.PathBase.Value,
    path = context.Request.Path.Value,
    query = context.Request.QueryString.Value,
    rawTarget = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget,
}));

// ---- bodies: each sends back what came, in its own way

app.MapPost("/sync", (HttpContext context) =>
{
    var block = new byte[4096];
    for (var count = context.Request.Body.Read(block); count > 0; count = context.Request.Body.Read(block))
    {
        context.Response.Body.Write(block, 0, count);
    }
});
app.MapPost("/async", context => Echo(context, 1));
app.MapPost("/twice", context => Echo(context, 2));
app.MapPost("/copy", context => context.Request.Body.CopyToAsync(context.Response.Body));
app.MapPost("/lines-back", async (HttpContext context) =>
{
    using var reader = new StreamReader(context.Request.Body);
    while (await reader.ReadLineAsync() is { } line)
    {
        await context.Response.WriteAsync(line + "\n");
        await context.Response.Body.FlushAsync();
    }
});
app.MapPost("/header-between", async (HttpContext context) =>
{
    var block = new byte[5];
    await context.Request.Body.ReadExactlyAsync(block);
    context.Response.Headers["X-Between"] = "set";
    await context.Response.Body.WriteAsync(block);
    await context.Request.Body.CopyToAsync(context.Response.Body);
});
app.MapPost("/part", async (HttpContext context, int bytes) =>
{
    var block = new byte[bytes];
    await context.Request.Body.ReadExactlyAsync(block);
    await context.Response.Body.WriteAsync(block);
});
app.MapPost("/own-limit", async (HttpContext context, long bytes) =>
{
    context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = bytes;
    await context.Request.Body.CopyToAsync(Stream.Null);
});
app.MapMethods("/count", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CUSTOM"], async (HttpContext context) =>
{
    var (total, block) = (0L, new byte[64 * 1024]);
    for (var count = await context.Request.Body.ReadAsync(block); count > 0; count = await context.Request.Body.ReadAsync(block))
    {
        total += count;
    }
    var (length, coding) = (context.Request.ContentLength, context.Request.Headers.TransferEncoding.ToString());
    await context.Response.WriteAsync($"{context.Request.Method} {total} length={length} coding={coding}");
});

// ---- answers

app.MapGet("/code", async (HttpContext context, int code, string? reason, string? body) =>
{
    context.Response.StatusCode = code;
    context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = reason;
    if (body is not null)
    {
        await context.Response.WriteAsync(body);
    }
});
app.MapGet("/values", context =>
{
    var headers = context.Response.Headers;
    headers["Unknown"] = "test123=foo";
    headers["MultiHeader"] = new[] { "1", "2" };
    headers["Accept-Ranges"] = new[] { "none", "bytes" };
    headers["Via"] = "1.1 one, 1.1 two";
    headers["Empty"] = "";
    context.Response.ContentType = "text/plain";
    return context.Response.WriteAsync("values");
});
app.MapGet("/server", context =>
{
    context.Response.Headers.Server = "MyServer/7.8";
    return context.Response.WriteAsync("server");
});
app.MapGet("/throw", string () => throw new InvalidOperationException("thrown by /throw"));
app.MapGet("/header-back", (HttpContext context) => context.Request.Headers["X-Text"].ToString());
app.MapGet("/file", async (HttpContext context, int bytes) =>
{
    var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
    try
    {
        await File.WriteAllBytesAsync(path, Enumerable.Repeat((byte)'f', bytes).ToArray());
        context.Response.ContentLength = bytes;
        await context.Response.SendFileAsync(path);
    }
    finally
    {
        File.Delete(path);
    }
});

// ---- compression, by the app itself

app.MapGet("/gzip", async (HttpContext context) =>
{
    context.Response.Headers.ContentEncoding = "gzip";
    context.Response.ContentType = "text/plain";
    await using var gzip = new GZipStream(context.Response.Body, CompressionLevel.Fastest);
    await gzip.WriteAsync("compressed by the app"u8.ToArray());
});
// Lines that wait for one another: the next is written when the client asked for it at /next.
var next = new SemaphoreSlim(0);
app.MapGet("/lines", async (HttpContext context) =>
{
    context.Response.ContentType = "text/plain";
    context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
    for (var line = 0; line < 10; line++)
    {
        await context.Response.WriteAsync($"line {line}\n");
        await context.Response.Body.FlushAsync();
        await next.WaitAsync(context.RequestAborted);
    }
});
app.MapPost("/next", () => next.Release());

app.Run();

static async Task Echo(HttpContext context, int times)
{
    var block = new byte[4096];
    for (var count = await context.Request.Body.ReadAsync(block); count > 0; count = await context.Request.Body.ReadAsync(block))
    {
        for (var time = 0; time < times; time++)
        {
            await context.Response.Body.WriteAsync(block.AsMemory(0, count));
        }
        await context.Response.Body.FlushAsync();
    }
}
